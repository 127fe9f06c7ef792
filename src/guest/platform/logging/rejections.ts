// Promises that were rejected without a handler. The engine reports rejections and late handlers; those left at the end of the
// invocation is logged, so that a handler attached later avoids the log line.
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
 * The protocol's `rejection`: a promise was rejected without a handler, or got one after all. It only records this, so
 * that the host may call it from inside the engine's own report.
 */
export function rejection(promise: object, reason: unknown, isHandled: boolean): void {
  if (isHandled) remove(rejected, promise);
  else set(rejected, promise, reason);
}

/** Logs the rejections that are still unhandled, and forgets them. */
export function logUnhandledRejections(): void {
  forEach(rejected, (reason, promise) => {
    remove(rejected, promise);
    logUncaught("Unhandled rejection", reason);
  });
}
