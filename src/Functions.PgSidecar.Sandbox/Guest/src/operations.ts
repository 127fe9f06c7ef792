// Asynchronous operations of the host: a table of what is outstanding, and the promise each one settles.
import { errorFromHost } from "./errors";
import { cancelOperation, startOperation } from "./host";
import { NativeError, NativePromise } from "./intrinsics";

/** Called once with the host's answer: `failed` says whether `text` is the error's JSON. */
type Completion = (failed: boolean, text: string, bytes: Uint8Array | undefined) => void;

const outstanding: Record<number, Completion> = Object.create(null);
let lastId = 0;

/** Begins an operation; `completion` runs when it ends, unless it is cancelled first. */
export function begin(name: string, text: string, bytes: Uint8Array | undefined, completion: Completion): number {
  const id = ++lastId;
  outstanding[id] = completion;
  startOperation(id, name, text, bytes);
  return id;
}

/** Forgets an operation and tells the host so; one that has ended is left alone. */
export function cancel(id: number): void {
  if (outstanding[id] === undefined) return;
  delete outstanding[id];
  cancelOperation(id);
}

/** Begins an operation whose promise gives what `decode` makes of the answer. */
export function perform<T>(
  name: string,
  text: string,
  bytes: Uint8Array | undefined,
  decode: (text: string, bytes: Uint8Array | undefined) => T,
): Promise<T> {
  // The stack at the call is the useful one: when the answer arrives, no frame of the function's is left.
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

/** The protocol's `complete`: an operation's end. The answer to a cancelled one is dropped. */
export function complete(id: number, ok: number, text: string, bytes?: Uint8Array): void {
  const completion = outstanding[id];
  if (completion === undefined) return;
  delete outstanding[id];
  completion(ok === 0, text, bytes);
}
