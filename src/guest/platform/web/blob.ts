// Blob and File (W3C File API), whose bytes are in one array.
import { Bytes, decodeUtf8, encodeUtf8, isView } from "../intrinsics";
import { loggedState } from "../logging/inspect";
import { concat, ReadableStream, streamOf } from "./streams";

export type BlobPart = string | ArrayBuffer | ArrayBufferView | Blob;

interface BlobOptions {
  type?: string;
}

/** A blob's bytes, without the copy that `bytes()` makes. */
export let blobBytes: (blob: Blob) => Uint8Array;

/** Creates another object for the same content, because blobs are immutable. */
export function cloneBlob(blob: Blob): Blob {
  const { type } = blob;
  return blob instanceof File ? new File([blob], blob.name, { type, lastModified: blob.lastModified }) : new Blob([blob], { type });
}

function normalType(type: unknown): string {
  const text = type === undefined ? "" : String(type);
  return /[^\x20-\x7e]/.test(text) ? "" : text.toLowerCase();
}

export class Blob {
  readonly #bytes: Uint8Array;
  readonly #type: string;

  static {
    blobBytes = (blob) => blob.#bytes;
  }

  constructor(parts?: Iterable<BlobPart>, options?: BlobOptions) {
    if (parts !== undefined && (typeof parts !== "object" || parts === null)) throw new TypeError("A blob's parts must be an iterable.");
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (const part of parts ?? []) {
      const chunk = Blob.#partBytes(part);
      chunks.push(chunk);
      length += chunk.length;
    }
    this.#bytes = concat(chunks, length);
    this.#type = normalType(options?.type);
  }

  static #partBytes(part: BlobPart): Uint8Array {
    if (typeof part === "object" && part !== null) {
      if (#bytes in part) return part.#bytes;
      if (part instanceof ArrayBuffer) return new Bytes(part);
      if (isView(part)) return new Bytes(part.buffer as ArrayBuffer, part.byteOffset, part.byteLength);
    }
    return encodeUtf8(String(part));
  }

  get size(): number {
    return this.#bytes.length;
  }

  get type(): string {
    return this.#type;
  }

  slice(start?: number, end?: number, type?: string): Blob {
    return new Blob([this.#bytes.subarray(start, end)], type === undefined ? {} : { type });
  }

  async bytes(): Promise<Uint8Array> {
    return this.#bytes.slice();
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#bytes.slice().buffer as ArrayBuffer;
  }

  async text(): Promise<string> {
    return decodeUtf8(this.#bytes);
  }

  stream(): ReadableStream<Uint8Array> {
    return streamOf(this.#bytes.slice(), () => undefined);
  }

  get [Symbol.toStringTag](): string {
    return "Blob";
  }

  *[loggedState](): Generator<[string, unknown]> {
    yield ["size", this.size];
    yield ["type", this.type];
  }
}

export class File extends Blob {
  readonly #name: string;
  readonly #lastModified: number;

  constructor(parts: Iterable<BlobPart>, name: string, options?: BlobOptions & { lastModified?: number }) {
    super(parts, options);
    this.#name = String(name);
    this.#lastModified = options?.lastModified ?? Date.now();
  }

  get name(): string {
    return this.#name;
  }

  /** Milliseconds since 1970. */
  get lastModified(): number {
    return this.#lastModified;
  }

  override get [Symbol.toStringTag](): string {
    return "File";
  }

  override *[loggedState](): Generator<[string, unknown]> {
    yield ["name", this.name];
    yield* super[loggedState]();
  }
}
