// CompressionStream and DecompressionStream (Compression standard): each uses a codec of the host, chunk by chunk.
import { jsonParse, jsonStringify } from "../intrinsics";
import { perform } from "../operations";
import { copyBytes } from "./buffers";
import { ReadableStream, WritableStream } from "./streams";

const formats = new Set(["gzip", "deflate", "deflate-raw"]);

/** A codec of the host, opened at the first chunk. */
class Codec {
  readonly #format: string;
  readonly #compresses: boolean;
  #id: Promise<number> | undefined;
  #closed = false;

  constructor(format: string, compresses: boolean) {
    this.#format = format;
    this.#compresses = compresses;
  }

  /** Writes a chunk; resolves when the codec can take the next. */
  async write(chunk: unknown): Promise<void> {
    const bytes = copyBytes(chunk, "A chunk");
    if (bytes.length > 0) await perform("compression.write", await this.#target(), bytes, () => undefined);
  }

  async end(): Promise<void> {
    await perform("compression.end", await this.#target(), undefined, () => undefined);
  }

  /** The next bytes of the result; undefined at its end. */
  async read(): Promise<Uint8Array | undefined> {
    return await perform("compression.read", await this.#target(), undefined, (_text, bytes) => bytes);
  }

  async close(): Promise<void> {
    if (this.#closed || this.#id === undefined) return;
    this.#closed = true;
    await perform("compression.close", await this.#target(), undefined, () => undefined);
  }

  async #target(): Promise<string> {
    this.#id ??= perform("compression.open", jsonStringify({ format: this.#format, compress: this.#compresses })!, undefined,
      (text) => (jsonParse(text) as { id: number }).id);
    return '{"id":' + (await this.#id) + "}";
  }
}

function pair(format: unknown, compresses: boolean): { readable: ReadableStream<Uint8Array>; writable: WritableStream<unknown> } {
  const name = String(format);
  if (!formats.has(name)) throw new TypeError(`"${name}" is none of the formats gzip, deflate and deflate-raw.`);
  const codec = new Codec(name, compresses);
  let fail: (reason: unknown) => void;
  const readable = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        fail = (reason) => controller.error(reason);
      },
      async pull(controller) {
        const bytes = await codec.read();
        if (bytes !== undefined) return controller.enqueue(bytes);
        controller.close();
        await codec.close();
      },
      cancel: () => codec.close(),
    },
    { highWaterMark: 0 },
  );
  const failing = async (work: Promise<void>) => {
    try {
      await work;
    } catch (error) {
      fail(error);
      throw error;
    }
  };
  const writable = new WritableStream<unknown>({
    write: (chunk) => failing(codec.write(chunk)),
    close: () => failing(codec.end()),
    async abort(reason) {
      fail(reason);
      await codec.close();
    },
  });
  return { readable, writable };
}

export class CompressionStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<unknown>;

  constructor(format: string) {
    ({ readable: this.readable, writable: this.writable } = pair(format, true));
  }

  get [Symbol.toStringTag](): string {
    return "CompressionStream";
  }
}

export class DecompressionStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<unknown>;

  constructor(format: string) {
    ({ readable: this.readable, writable: this.writable } = pair(format, false));
  }

  get [Symbol.toStringTag](): string {
    return "DecompressionStream";
  }
}
