// Removes from stack frames what user code must not reach (functions), and from reports the prelude's own frames.
import { includes, NativeError, split } from "./intrinsics";

interface ErrorWithHook {
  prepareStackTrace?: unknown;
}

/** The name under which the host evaluated this script. */
const preludeFile = /\(?([^\s()]+):\d+:\d+\)?/.exec(new NativeError().stack ?? "")?.[1];

/** An error's stack without the prelude's own frames. */
export function userStack(error: { stack?: unknown }): string {
  const stack = typeof error.stack === "string" ? error.stack : "";
  if (preludeFile === undefined || !includes(stack, preludeFile)) return stack;
  const lines = split(stack, "\n");
  let kept = "";
  for (let i = 0; i < lines.length; i++) {
    if (lines[i] !== "" && !includes(lines[i]!, preludeFile)) kept += lines[i] + "\n";
  }
  return kept;
}

/**
 * QuickJS hands structured frames to Error.prepareStackTrace, and a frame's getFunction() is the function itself: from
 * inside a handler that would be a function of the protocol. Removes that method before any user code runs.
 */
export function hideFrameFunctions(): void {
  const hooked = Error as ErrorWithHook;
  let frames: object[] = [];
  hooked.prepareStackTrace = (_error: Error, sites: object[]) => {
    frames = sites;
    return "";
  };
  void new Error().stack;
  hooked.prepareStackTrace = undefined;
  Reflect.deleteProperty(Object.getPrototypeOf(frames[0]!) as object, "getFunction");
}
