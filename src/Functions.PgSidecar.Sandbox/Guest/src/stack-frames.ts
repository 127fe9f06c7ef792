// QuickJS hands structured stack frames to Error.prepareStackTrace, and a frame's getFunction() is the function itself:
// from inside a handler that would be the protocol's. Frames keep their names, files and positions, and lose that.

interface ErrorWithHook {
  prepareStackTrace?: unknown;
}

/** Takes the functions out of stack frames, before any user code runs. */
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
