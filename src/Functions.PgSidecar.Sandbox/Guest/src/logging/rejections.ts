// Promises that were rejected and that nobody handled. The engine reports both moments; what is left at the end of the
// invocation is logged, so that a handler attached later makes no noise.
import { uncurry } from "../intrinsics";
import { logUncaught } from "./log";

const rejected = new Map<object, unknown>();
const set = uncurry(Map.prototype.set) as (map: Map<object, unknown>, key: object, value: unknown) => unknown;
const remove = uncurry(Map.prototype.delete) as (map: Map<object, unknown>, key: object) => boolean;
const forEach = uncurry(Map.prototype.forEach) as (
  map: Map<object, unknown>,
  callback: (value: unknown, key: object) => void,
) => void;

/**
 * The protocol's `rejection`: a promise was rejected without a handler, or got one after all. It only takes note, so
 * that the host may call it from inside the engine's own report.
 */
export function rejection(promise: object, reason: unknown, isHandled: boolean): void {
  if (isHandled) remove(rejected, promise);
  else set(rejected, promise, reason);
}

/** Logs and forgets what is unhandled by now. */
export function logUnhandledRejections(): void {
  forEach(rejected, (reason, promise) => {
    remove(rejected, promise);
    logUncaught("Unhandled rejection", reason);
  });
}
