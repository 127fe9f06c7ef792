// Promises that were rejected and that nobody handled. The engine reports both moments; what is left at the end of the
// invocation is logged, so that a handler attached later in the same turn makes no noise.
import { logUncaught } from "./log";

const rejected = new Map<object, unknown>();

/** The protocol's `rejection`: a promise was rejected without a handler, or got one after all. */
export function rejection(promise: object, reason: unknown, isHandled: boolean | number): void {
  if (isHandled) rejected.delete(promise);
  else rejected.set(promise, reason);
}

/** Logs and forgets what is unhandled by now. */
export function logUnhandledRejections(): void {
  if (rejected.size === 0) return;
  for (const reason of rejected.values()) logUncaught("Unhandled rejection", reason);
  rejected.clear();
}
