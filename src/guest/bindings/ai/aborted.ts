// Operations that an AbortSignal ends.
import { errorFromHost } from "../../platform/errors";
import { NativeError, NativePromise } from "../../platform/intrinsics";
import { begin, cancel } from "../../platform/operations";
import type { AbortSignal } from "../../platform/web/abort";

/** Starts an operation; its promise is rejected with the signal's reason if that is aborted first. */
export function performUnlessAborted<T>(
  name: string,
  text: string,
  bytes: Uint8Array | undefined,
  signal: AbortSignal | undefined,
  decode: (text: string, bytes: Uint8Array | undefined) => T,
): Promise<T> {
  const site = new NativeError();
  return new NativePromise<T>((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = () => {
      cancel(operation);
      reject(signal!.reason);
    };
    const operation = begin(name, text, bytes, (failed, answer, answerBytes) => {
      signal?.removeEventListener("abort", abort);
      if (failed) return reject(errorFromHost(answer, site));
      try {
        resolve(decode(answer, answerBytes));
      } catch (error) {
        reject(error);
      }
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}
