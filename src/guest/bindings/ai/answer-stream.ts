// The stream of an answer that is still arriving.
import { perform } from "../../platform/operations";
import type { AbortSignal } from "../../platform/web/abort";
import type { ReadableStream } from "../../platform/web/streams";
import { arrivingStream } from "../../platform/web/wire-streams";

const nothing = (): undefined => undefined;

/** Its bytes, by the number that the host gave it. Cancelling it, or the signal, ends the request to the provider. */
export function answerStream(id: number, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  const text = '{"stream":' + id + "}";
  const stop = () => void perform("ai.cancel", text, undefined, nothing).catch(nothing);
  return arrivingStream("ai.read", text, stop, signal);
}
