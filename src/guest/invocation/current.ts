// The only invocation of this instance. Each invocation gets an instance from the snapshot, so there is
// none while the module loads, and never a second.
import { NativeError, NativePromise } from "../platform/intrinsics";
import { logUncaught } from "../platform/logging/log";
import type { InvocationMessage } from "./message";

export interface Invocation {
  readonly message: InvocationMessage;
  /** The raw request body; absent if there is none, or while it arrives. */
  bytes: Uint8Array | undefined;
  /** The function's variables and bindings, as `env`. */
  readonly env: Record<string, unknown>;
  /** The promises given to `ctx.waitUntil`, wrapped so that none rejects. */
  readonly background: Promise<void>[];
  /** The first error of a background promise. */
  backgroundError: { thrown: unknown } | undefined;
}

let current: Invocation | undefined;

export function enter(invocation: Invocation): void {
  current = invocation;
}

/** The invocation, for features that need one; the error names `what`. */
export function currentInvocation(what: string): Invocation {
  if (current === undefined) {
    throw new NativeError(`${what} is not available while the module loads; use it inside the handler.`);
  }
  return current;
}

/** The invocation, or undefined while the module loads. */
export function invocationIfAny(): Invocation | undefined {
  return current;
}

/** Keeps the invocation alive until the promise settles. */
export function waitUntil(promise: unknown): void {
  const invocation = currentInvocation("waitUntil");
  invocation.background[invocation.background.length] = settle(invocation, promise);
}

async function settle(invocation: Invocation, promise: unknown): Promise<void> {
  try {
    await promise;
  } catch (thrown) {
    invocation.backgroundError ??= { thrown };
    logUncaught("Rejected in waitUntil", thrown);
  }
}

/** Waits for every background promise, including those added meanwhile. */
export async function backgroundSettled(invocation: Invocation): Promise<void> {
  const { background } = invocation;
  for (let i = 0; i < background.length; i++) await background[i];
}

/** A settled promise, for deferring work by one turn. */
export const settled = NativePromise.resolve();
