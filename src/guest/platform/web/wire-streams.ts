// Bodies in transit: streams whose chunks are operations of the host.
import { begin, cancel, perform } from "../operations";
import { Bytes } from "../intrinsics";
import type { AbortSignal } from "./abort";
import { ReadableStream } from "./streams";

const nothing = () => undefined;
const bytesOnly = (_text: string, bytes: Uint8Array | undefined) => bytes;

/**
 * A body that an operation reads from the host: the next bytes, none at the end. `stop` reports that no more are needed; a
 * signal that is aborted is the stream's error.
 */
export function arrivingStream(operation: string, text: string, stop: () => void, signal?: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    type: "bytes",
    start(controller) {
      signal?.addEventListener("abort", () => {
        stop();
        controller.error(signal.reason);
      }, { once: true });
    },
    async pull(controller) {
      const chunk = await perform(operation, text, undefined, bytesOnly);
      if (chunk !== undefined) return controller.enqueue(chunk);
      controller.close();
      // A reader with its own buffer waits for this.
      controller.byobRequest?.respond(0);
    },
    cancel: stop,
  }, { highWaterMark: 0 });
}

/** The body of the invocation's request, while it arrives. */
export function incomingBody(): ReadableStream<Uint8Array> {
  return arrivingStream("request.read", "", nothing);
}

/** Sends a stream as the answer's body, at the receiver's pace. A receiver that disconnects cancels it, which is no error. */
export async function sendBody(stream: ReadableStream<unknown>): Promise<void> {
  const reader = stream.getReader();
  let isGone = false;
  const watch = begin("response.closed", "", undefined, () => {
    isGone = true;
    reader.cancel(new DOMException("The receiver of the answer has gone away.", "AbortError")).catch(nothing);
  });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!(value instanceof Bytes)) {
        const error = new TypeError("A body's stream must give Uint8Array chunks.");
        reader.cancel(error).catch(nothing);
        throw error;
      }
      if (value.length > 0) await perform("response.write", "", value, nothing);
    }
    if (!isGone) await perform("response.end", "", undefined, nothing);
  } catch (error) {
    if (!isGone) throw error;
  } finally {
    cancel(watch);
  }
}
