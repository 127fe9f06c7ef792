// `env.STORAGE` and the global `storage`: the API of R2, with its messages.
import { Bytes, encodeUtf8, isArray, isInteger, isView, jsonParse, jsonStringify } from "../../platform/intrinsics";
import { perform } from "../../platform/operations";
import { Blob, blobBytes } from "../../platform/web/blob";
import { concat, ReadableStream, takeWhole } from "../../platform/web/streams";
import { arrivingStream } from "../../platform/web/wire-streams";
import { R2Object, R2ObjectBody, type Head } from "./object";
import { condition, digest, metadata, range, type GetOptions, type PutOptions } from "./options";

type Value = ReadableStream<Uint8Array> | ArrayBuffer | ArrayBufferView | string | null | Blob;

interface ListOptions {
  limit?: number;
  prefix?: string;
  cursor?: string;
  delimiter?: string;
  startAfter?: string;
  include?: ("httpMetadata" | "customMetadata")[];
}

interface SignOptions {
  method?: "GET" | "PUT";
  /** Seconds, at most 604,800. */
  expiresIn?: number;
  maxBytes?: number;
  contentType?: string;
  /** The name of the file that browsers store. */
  download?: string;
}

/** What is at most this long goes to the host in one operation. */
const shortBytes = 64 * 1024;

/** The most bytes of one operation. */
const pieceBytes = 1024 * 1024;

const nothing = (): undefined => undefined;

/** The bytes of a value, or the stream of them. */
function content(value: unknown, method: string): Uint8Array | ReadableStream<Uint8Array> {
  if (typeof value === "string") return encodeUtf8(value);
  if (value === null || value === undefined) return new Bytes(0);
  if (value instanceof ArrayBuffer) return new Bytes(value);
  if (isView(value)) return new Bytes(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
  if (value instanceof Blob) return blobBytes(value);
  if (value instanceof ReadableStream) {
    const whole = takeWhole(value);
    return whole === undefined ? value : typeof whole === "string" ? encodeUtf8(whole) : whole;
  }
  throw new TypeError(
    `Failed to execute '${method}' on 'R2Bucket': parameter 2 is not of type ` +
      "'ReadableStream or ArrayBuffer or ArrayBufferView or string or Blob'.",
  );
}

/** Pieces of a value that are neither many nor large. */
async function* pieces(value: Uint8Array | ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (value instanceof Bytes) {
    for (let at = 0; at < value.length; at += pieceBytes) yield value.subarray(at, at + pieceBytes);
    return;
  }
  const reader = value.getReader();
  let isRead = false;
  let collected: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value: chunk } = await reader.read();
      if (done) break;
      if (!(chunk instanceof Bytes)) throw new TypeError("A stream that is put into a bucket must give Uint8Array chunks.");
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        const piece = chunk.subarray(at, at + pieceBytes);
        collected.push(piece);
        length += piece.length;
        // Small chunks are sent together.
        if (length < shortBytes) continue;
        yield collected.length === 1 ? piece : concat(collected, length);
        collected = [];
        length = 0;
      }
    }
    isRead = true;
    if (length > 0) yield concat(collected, length);
  } finally {
    if (!isRead) reader.cancel(new Error("Stream cancelled because the associated put operation encountered an error.")).catch(nothing);
  }
}

/** Sends a value, in one operation if it is short. `request`: the members of the request. */
async function send<T>(
  request: Record<string, unknown>,
  value: Uint8Array | ReadableStream<Uint8Array>,
  decode: (text: string) => T,
): Promise<T> {
  const text = jsonStringify(request)!;
  const parts = pieces(value);
  const first = await parts.next();
  const second = first.done ? first : await parts.next();
  if (second.done && (first.done || first.value.length <= pieceBytes)) {
    return await perform("storage.put", text, first.done ? undefined : first.value, decode);
  }
  const stream = await perform("storage.open", text, undefined, (answer) => (jsonParse(answer) as { writer: number }).writer);
  // The name of the upload is repeated, because messages begin with the method's name.
  const members = jsonStringify({ stream, uploadId: request["uploadId"] })!;
  let isDone = false;
  try {
    await perform("storage.write", members, first.value as Uint8Array, nothing);
    for (let next = second; !next.done; next = await parts.next()) await perform("storage.write", members, next.value, nothing);
    isDone = true;
    return await perform("storage.finish", members, undefined, decode);
  } finally {
    await parts.return(undefined);
    if (!isDone) perform("storage.discard", members, undefined, nothing).catch(nothing);
  }
}

const headOrNull = (text: string): R2Object | null => {
  const head = jsonParse(text) as Head | null;
  return head === null ? null : new R2Object(head);
};

/** An upload of an object in parts. */
export class R2MultipartUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly #bucket: string;

  constructor(bucket: string, key: string, uploadId: string) {
    this.#bucket = bucket;
    this.key = key;
    this.uploadId = uploadId;
  }

  async uploadPart(partNumber: number, value: Value): Promise<{ partNumber: number; etag: string }> {
    const part = checkPart(partNumber);
    const decode = (text: string) => jsonParse(text) as { partNumber: number; etag: string };
    return await send({ ...this.#names(), part }, content(value, "uploadPart"), decode);
  }

  async complete(parts: { partNumber: number; etag: string }[]): Promise<R2Object> {
    const given: { partNumber: number; etag: string }[] = [];
    for (const { partNumber, etag } of parts) given.push({ partNumber: checkPart(partNumber), etag: String(etag) });
    return await perform("storage.complete", jsonStringify({ ...this.#names(), parts: given })!, undefined, (text) => headOrNull(text)!);
  }

  async abort(): Promise<void> {
    await perform("storage.abort", jsonStringify(this.#names())!, undefined, nothing);
  }

  #names(): { bucket: string; key: string; uploadId: string } {
    return { bucket: this.#bucket, key: this.key, uploadId: this.uploadId };
  }
}

function checkPart(part: unknown): number {
  const number = Math.trunc(Number(part)) || 0;
  if (number < 1 || number > 10000) {
    throw new TypeError(`Part number must be between 1 and 10000 (inclusive). Actual value was: ${number}`);
  }
  return number;
}

/** A bucket. */
export class R2Bucket {
  readonly #bucket: string;

  constructor(bucket: string) {
    this.#bucket = bucket;
  }

  /** Another bucket (functions.create_bucket). */
  bucket(name: string): R2Bucket {
    return new R2Bucket(String(name));
  }

  async head(key: string): Promise<R2Object | null> {
    return await this.#perform("storage.head", { key: String(key) }, headOrNull);
  }

  async get(key: string, options: GetOptions = {}): Promise<R2ObjectBody | R2Object | null> {
    if (options.ssecKey !== undefined) throw new TypeError("ssecKey is not supported.");
    const request = { key: String(key), onlyIf: condition(options.onlyIf), range: range(options.range) };
    return await this.#perform("storage.get", request, (text, bytes) => {
      const answer = jsonParse(text) as { head: Head; body: boolean; stream?: number } | null;
      if (answer === null) return null;
      if (!answer.body) return new R2Object(answer.head);
      if (answer.stream === undefined) return new R2ObjectBody(answer.head, bytes ?? new Bytes(0));
      const members = '{"stream":' + answer.stream + "}";
      const stop = () => void perform("storage.cancel", members, undefined, nothing).catch(nothing);
      return new R2ObjectBody(answer.head, arrivingStream("storage.read", members, stop));
    });
  }

  async put(key: string, value: Value, options?: PutOptions): Promise<R2Object | null> {
    const bytes = content(value, "put");
    const request = {
      bucket: this.#bucket, key: String(key), onlyIf: condition(options?.onlyIf), ...metadata(options), ...digest(options),
    };
    return await send(request, bytes, headOrNull);
  }

  async delete(keys: string | string[]): Promise<void> {
    const names: string[] = [];
    if (isArray(keys)) for (const key of keys) names.push(String(key));
    else names.push(String(keys));
    await this.#perform("storage.delete", { keys: names }, nothing);
  }

  async list(options: ListOptions = {}): Promise<unknown> {
    const { limit, prefix, cursor, delimiter, startAfter, include } = options;
    const request = {
      limit: limit === undefined ? 1000 : Number(limit),
      prefix: text(prefix), cursor: text(cursor), delimiter: text(delimiter), startAfter: text(startAfter),
    };
    if (!isInteger(request.limit)) request.limit = 0; // the host says what is wrong
    const included: string[] = [];
    for (const field of include ?? []) {
      if (field !== "httpMetadata" && field !== "customMetadata") throw new RangeError(`Unsupported include value ${String(field)}`);
      included.push(field);
    }
    return await this.#perform("storage.list", request, (answer) => {
      const list = jsonParse(answer) as { objects: Head[]; delimitedPrefixes: string[]; cursor?: string };
      const objects: R2Object[] = [];
      for (const head of list.objects) objects.push(new R2Object(head, included));
      const { delimitedPrefixes } = list;
      return list.cursor === undefined
        ? { objects, delimitedPrefixes, truncated: false }
        : { objects, delimitedPrefixes, truncated: true, cursor: list.cursor };
    });
  }

  async createMultipartUpload(key: string, options?: PutOptions): Promise<R2MultipartUpload> {
    const name = String(key);
    const uploadId = await this.#perform(
      "storage.upload", { key: name, ...metadata(options) }, (answer) => (jsonParse(answer) as { uploadId: string }).uploadId,
    );
    return new R2MultipartUpload(this.#bucket, name, uploadId);
  }

  resumeMultipartUpload(key: string, uploadId: string): R2MultipartUpload {
    return new R2MultipartUpload(this.#bucket, String(key), String(uploadId));
  }

  /** The path, with a token, by which whoever has it may download (GET) or upload (PUT) an object until it expires. */
  async createSignedUrl(key: string, options: SignOptions = {}): Promise<string> {
    const { method = "GET", expiresIn = 3600, maxBytes, contentType, download } = options;
    if (!isInteger(expiresIn)) throw new TypeError("expiresIn is a whole number of seconds.");
    if (maxBytes !== undefined && !isInteger(maxBytes)) throw new TypeError("maxBytes is a whole number.");
    const request = {
      key: String(key), method: String(method), expiresIn, maxBytes, contentType: text(contentType), download: text(download),
    };
    return await this.#perform("storage.sign", request, (answer) => (jsonParse(answer) as { url: string }).url);
  }

  #perform<T>(name: string, members: object, decode: (text: string, bytes: Uint8Array | undefined) => T): Promise<T> {
    return perform(name, jsonStringify({ bucket: this.#bucket, ...members })!, undefined, decode);
  }
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value);
}

/** The bucket of every database. */
export const storage = new R2Bucket("default");
