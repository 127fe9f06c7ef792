// The host's one native function. It is removed from the global object before user code runs, and only called
// directly, by name, so that no replaced prototype or accessor can see it.

type HostFunction = (operation: number, ...rest: unknown[]) => unknown;

const enum Operation {
  Start = 1,
  Cancel = 2,
  Respond = 3,
  Fail = 4,
  Done = 5,
  Log = 6,
  Now = 7,
  Compute = 8,
  RespondStreaming = 9,
}

export type LogLevel = "debug" | "info" | "warn" | "error";

const world = globalThis as unknown as { __pgfn_host?: HostFunction };
const host = world.__pgfn_host!;
delete world.__pgfn_host;

/** Starts an asynchronous operation; the host answers by the protocol's `complete(id, ...)`. */
export function startOperation(id: number, name: string, text: string, bytes: Uint8Array | undefined): void {
  host(Operation.Start, id, name, text, bytes);
}

/** Abandons an operation: its answer is no longer needed. */
export function cancelOperation(id: number): void {
  host(Operation.Cancel, id);
}

/** Sends the invocation's answer: `text` is `{status, headers}` for HTTP, empty for an event. */
export function respond(text: string, body: string | Uint8Array | undefined): void {
  host(Operation.Respond, text, body);
}

/** Sends the head of an answer whose body follows by the operations `response.write` and `response.end`. */
export function respondStreaming(text: string): void {
  host(Operation.RespondStreaming, text);
}

/** Reports that the invocation failed: `{name, message, stack, code?}`. */
export function fail(text: string): void {
  host(Operation.Fail, text);
}

/** Reports that nothing is left to run; `text` is empty, or the error of the first `waitUntil` that failed. */
export function done(text: string): void {
  host(Operation.Done, text);
}

export function writeLog(level: LogLevel, text: string): void {
  host(Operation.Log, level, text);
}

/** Milliseconds since the invocation began, with a fraction; monotonic. */
export function now(): number {
  return host(Operation.Now) as number;
}

/** Runs a light computation synchronously, even while the module loads; returns the result or the error's JSON. */
export function computeNow(name: string, text: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> | string {
  return host(Operation.Compute, name, text, bytes) as Uint8Array<ArrayBuffer> | string;
}
