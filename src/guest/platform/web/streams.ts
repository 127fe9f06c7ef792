// WHATWG streams, from web-streams-polyfill, and the functions that bodies need.
import {
  ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest, ReadableStreamDefaultController, ReadableStreamDefaultReader, TransformStream,
  TransformStreamDefaultController, WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter,
} from "web-streams-polyfill";
import { Bytes, encodeUtf8 } from "../intrinsics";
import { TextDecoder } from "./text-decoder";

export { ReadableStream, TransformStream, WritableStream };

/** The classes of the Streams standard with global names. */
export const streamClasses = {
  ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest, ReadableStreamDefaultController, ReadableStreamDefaultReader, TransformStream,
  TransformStreamDefaultController, WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter,
};

/** The chunk of a stream with only one. Bodies read it directly, so that content which is only passed on need not be streamed. */
const whole = Symbol("a stream's whole content");

interface Whole {
  content: string | Uint8Array;
  isTaken: boolean;
  onRead: () => void;
}

type WithWhole = ReadableStream<Uint8Array> & { [whole]?: Whole };

/** A stream of one chunk; `onRead` runs when the chunk is taken. */
export function streamOf(content: string | Uint8Array, onRead: () => void): ReadableStream<Uint8Array> {
  const state: Whole = { content, isTaken: false, onRead };
  const stream: WithWhole = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        state.isTaken = true;
        onRead();
        const bytes = typeof content === "string" ? encodeUtf8(content) : content;
        if (bytes.length > 0) controller.enqueue(bytes);
        controller.close();
      },
      cancel() {
        state.isTaken = true;
      },
    },
    { highWaterMark: 0 },
  );
  stream[whole] = state;
  return stream;
}

/** The whole content of an unread stream; undefined if it must be streamed. */
export function peekWhole(stream: ReadableStream<Uint8Array>): string | Uint8Array | undefined {
  const state = (stream as WithWhole)[whole];
  return state === undefined || state.isTaken || stream.locked ? undefined : state.content;
}

/** `peekWhole`, after which the stream counts as read, and is locked. */
export function takeWhole(stream: ReadableStream<Uint8Array>): string | Uint8Array | undefined {
  const content = peekWhole(stream);
  if (content === undefined) return undefined;
  const state = (stream as WithWhole)[whole]!;
  state.isTaken = true;
  state.onRead();
  stream.getReader();
  return content;
}

/** Reads all chunks of a stream as one array; a chunk that is not bytes is a TypeError. */
export async function readAll(stream: ReadableStream<unknown>): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!(value instanceof Bytes)) {
      await reader.cancel().catch(() => undefined);
      throw new TypeError("A body's stream must give Uint8Array chunks.");
    }
    chunks.push(value);
    length += value.length;
  }
  return chunks.length === 1 ? chunks[0]! : concat(chunks, length);
}

export function concat(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Bytes(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Converts text chunks to UTF-8 chunks, even if a surrogate pair spans two. */
export class TextEncoderStream {
  readonly encoding = "utf-8";
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<string>;

  constructor() {
    let half = "";
    const { readable, writable } = new TransformStream<string, Uint8Array>({
      transform(chunk, controller) {
        const text = half + String(chunk);
        const last = text.charCodeAt(text.length - 1);
        half = last >= 0xd800 && last <= 0xdbff ? text[text.length - 1]! : "";
        const whole = half === "" ? text : text.slice(0, -1);
        if (whole !== "") controller.enqueue(encodeUtf8(whole));
      },
      flush(controller) {
        if (half !== "") controller.enqueue(encodeUtf8(half));
      },
    });
    this.readable = readable;
    this.writable = writable;
  }
}

/** Converts byte chunks to text chunks, even if a character spans two. */
export class TextDecoderStream {
  readonly encoding: string;
  readonly readable: ReadableStream<string>;
  readonly writable: WritableStream<Uint8Array>;

  constructor(label = "utf-8", options?: { fatal?: boolean; ignoreBOM?: boolean }) {
    const decoder = new TextDecoder(label, options);
    this.encoding = decoder.encoding;
    const { readable, writable } = new TransformStream<Uint8Array, string>({
      transform(chunk, controller) {
        const text = decoder.decode(chunk, { stream: true });
        if (text !== "") controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text !== "") controller.enqueue(text);
      },
    });
    this.readable = readable;
    this.writable = writable;
  }
}
