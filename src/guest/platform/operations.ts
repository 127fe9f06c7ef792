// Asynchronous operations of the host: a table of those in progress, and the promise that each settles.
import { errorFromHost } from "./errors";
import { cancelOperation, startOperation } from "./host";
import { NativeError, NativePromise } from "./intrinsics";

/** Called once with the host's answer: `failed` says whether `text` is the error's JSON. */
type Completion = (failed: boolean, text: string, bytes: Uint8Array | undefined) => void;

const outstanding: Record<number, Completion> = Object.create(null);
let lastId = 0;

/** Starts an operation; `completion` runs when it ends, unless it is cancelled first. */
export function begin(name: string, text: string, bytes: Uint8Array | undefined, completion: Completion): number {
  const id = ++lastId;
  outstanding[id] = completion;
  startOperation(id, name, text, bytes);
  return id;
}

/** Abandons an operation, here and at the host; does nothing if it has ended. */
export function cancel(id: number): void {
  if (outstanding[id] === undefined) return;
  delete outstanding[id];
  cancelOperation(id);
}

/** Starts an operation; its promise resolves to the result of `decode`. */
export function perform<T>(
  name: string,
  text: string,
  bytes: Uint8Array | undefined,
  decode: (text: string, bytes: Uint8Array | undefined) => T,
): Promise<T> {
  // Keep the stack of the call: when the answer arrives, no frame of the function is left.
  const site = new NativeError();
  return new NativePromise<T>((resolve, reject) => {
    begin(name, text, bytes, (failed, answer, answerBytes) => {
      if (failed) return reject(errorFromHost(answer, site));
      try {
        resolve(decode(answer, answerBytes));
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** The protocol's `complete`: ends an operation. The answer of a cancelled one is dropped. */
export function complete(id: number, ok: number, text: string, bytes?: Uint8Array): void {
  const completion = outstanding[id];
  if (completion === undefined) return;
  delete outstanding[id];
  completion(ok === 0, text, bytes);
}
