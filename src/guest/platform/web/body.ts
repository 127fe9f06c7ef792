// The common part of Request and Response (Fetch standard, 5.3): a body that is text, bytes or a stream, read once. Text and
// bytes stay as they are; a stream object is created only when `body` is read.
import { Bytes, decodeUtf8, encodeUtf8, isView, jsonParse, NativePromise } from "../intrinsics";
import { Blob, blobBytes } from "./blob";
import { FormData } from "./form-data";
import { decodeForm, encodeMultipart } from "./multipart";
import { peekWhole, readAll, ReadableStream, streamOf, takeWhole } from "./streams";
import { URLSearchParams } from "./url";

export type BodyInit =
  | string | ArrayBuffer | ArrayBufferView | Blob | FormData | URLSearchParams | ReadableStream<Uint8Array>;

/** A body's content before it became a stream; null for no body. */
export type Content = string | Uint8Array | ReadableStream<Uint8Array> | null;

export interface Extracted {
  content: Content;
  /** The content type it implies. */
  type: string | undefined;
}

/** Converts a constructor's body, with the content type that it implies. */
export function extractBody(init: BodyInit | null | undefined): Extracted {
  if (init === null || init === undefined) return { content: null, type: undefined };
  if (typeof init === "object") {
    // Copied, because the caller may write to its array later.
    if (isView(init)) return { content: new Bytes(init.buffer as ArrayBuffer, init.byteOffset, init.byteLength).slice(), type: undefined };
    if (init instanceof ArrayBuffer) return { content: new Bytes(init.slice(0)), type: undefined };
    if (init instanceof ReadableStream) return { content: init, type: undefined };
    if (init instanceof Blob) return { content: blobBytes(init), type: init.type || undefined };
    if (init instanceof URLSearchParams) {
      return { content: init.toString(), type: "application/x-www-form-urlencoded;charset=UTF-8" };
    }
    if (init instanceof FormData) {
      const { bytes, boundary } = encodeMultipart(init);
      return { content: bytes, type: `multipart/form-data; boundary=${boundary}` };
    }
  }
  return { content: String(init), type: "text/plain;charset=UTF-8" };
}

/** Takes a body for the host: undefined for none, text and bytes unchanged, a stream read to its end. */
export let takeContent: (body: Body) => string | Uint8Array | undefined | Promise<Uint8Array>;

/** Takes a body for sending: like `takeContent`, but a stream stays one. */
export let takeFlowing: (body: Body) => string | Uint8Array | undefined | ReadableStream<Uint8Array>;

/** Moves a body's content to another object; the first then counts as read. */
export let moveContent: (body: Body) => Content;

/** Creates a second body with the same content, for `clone()`. */
export let cloneContent: (body: Body) => Content;

function asText(content: string | Uint8Array): string {
  return typeof content === "string" ? content : decodeUtf8(content);
}

export abstract class Body {
  #content: Content;
  #stream: ReadableStream<Uint8Array> | undefined;
  #used = false;

  static {
    takeContent = (body) => {
      if (body.#content === null) return undefined;
      return body.#take();
    };
    takeFlowing = (body) => (body.#content === null ? undefined : body.#consume());
    moveContent = (body) => {
      const content = body.#clone();
      if (content !== null) body.#used = true;
      return content;
    };
    cloneContent = (body) => body.#clone();
  }

  protected constructor(content: Content) {
    this.#content = content;
    if (content instanceof ReadableStream) {
      if (content.locked) throw new TypeError("The body's stream is already being read.");
      this.#stream = content;
    }
  }

  /** The content type, by which `blob` and `formData` read the body. */
  protected abstract contentType(): string;

  get body(): ReadableStream<Uint8Array> | null {
    if (this.#content === null) return null;
    if (this.#stream === undefined) {
      const content = this.#used ? "" : (this.#content as string | Uint8Array);
      this.#stream = streamOf(content, () => (this.#used = true));
    }
    return this.#stream;
  }

  get bodyUsed(): boolean {
    return this.#used;
  }

  async text(): Promise<string> {
    const content = this.#take();
    return asText(content instanceof NativePromise ? await content : content);
  }

  async json(): Promise<unknown> {
    const content = this.#take();
    return jsonParse(asText(content instanceof NativePromise ? await content : content));
  }

  async bytes(): Promise<Uint8Array> {
    const content = this.#take();
    const ready = content instanceof NativePromise ? await content : content;
    return typeof ready === "string" ? encodeUtf8(ready) : ready;
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await this.bytes();
    const { buffer, byteLength } = bytes;
    return (buffer.byteLength === byteLength ? buffer : bytes.slice().buffer) as ArrayBuffer;
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.bytes()], { type: this.contentType() });
  }

  async formData(): Promise<FormData> {
    return decodeForm(await this.bytes(), this.contentType());
  }

  /** The content, which then counts as read; a promise only if a stream must be read. */
  #take(): string | Uint8Array | Promise<Uint8Array> {
    const content = this.#consume();
    return content instanceof ReadableStream ? readAll(content) : content;
  }

  /** The content, which then counts as read; a stream only if it can't be taken as a whole. */
  #consume(): string | Uint8Array | ReadableStream<Uint8Array> {
    if (this.#content === null) return "";
    if (this.#used || this.#stream?.locked) throw new TypeError("The body has already been read.");
    this.#used = true;
    if (this.#stream === undefined) return this.#content as string | Uint8Array;
    return takeWhole(this.#stream) ?? this.#stream;
  }

  #clone(): Content {
    if (this.#used || this.#stream?.locked) throw new TypeError("A body that has been read can't be cloned.");
    if (this.#stream === undefined) return this.#content;
    const content = peekWhole(this.#stream);
    if (content !== undefined) return content;
    const [mine, other] = this.#stream.tee();
    this.#stream = mine;
    return other;
  }
}
