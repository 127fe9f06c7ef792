// `env.CACHE` and the global `cache`: the API of Workers KV, with its messages, and what PostgreSQL adds to it.
import {
  Bytes, decodeUtf8, encodeUtf8, isArray, isInteger, isView, jsonParse, jsonStringify, NativeDate, NativeError,
} from "../../platform/intrinsics";
import { perform } from "../../platform/operations";
import { readAll, ReadableStream, streamOf } from "../../platform/web/streams";

type ValueType = "text" | "json" | "arrayBuffer" | "stream";
type GetOptions = ValueType | { type?: ValueType; cacheTtl?: number };
type Value = string | ArrayBuffer | ArrayBufferView | ReadableStream<Uint8Array>;

interface PutOptions {
  /** Seconds since 1970. */
  expiration?: number;
  /** Seconds. */
  expirationTtl?: number;
  metadata?: unknown;
}

interface Entry {
  bytes: Uint8Array;
  metadata: unknown;
}

const types: readonly unknown[] = ["text", "json", "arrayBuffer", "stream"];
const maxKeyBytes = 512;
const maxMetadataBytes = 1024;

function checkKey(operation: string, key: unknown): string {
  const name = String(key);
  if (name === "") throw new TypeError("Key name cannot be empty.");
  if (name === "." || name === "..") throw new TypeError(`"${name}" is not allowed as a key name.`);
  if (name.length * 3 > maxKeyBytes) {
    const { length } = encodeUtf8(name);
    if (length > maxKeyBytes) {
      throw new NativeError(`KV ${operation} failed: 414 UTF-8 encoded length of ${length} exceeds key length limit of ${maxKeyBytes}.`);
    }
  }
  return name;
}

/** How old a copy in the sidecar's memory may be, in seconds; undefined: the database is asked. */
function cacheTtlOf(options: GetOptions | undefined): number | undefined {
  const ttl = typeof options === "object" && options !== null ? options.cacheTtl : undefined;
  if (ttl !== undefined && (!isInteger(ttl) || ttl < 30)) {
    throw new NativeError(`KV GET failed: 400 Invalid cache_ttl of ${String(ttl)}. Cache TTL must be at least 30.`);
  }
  return ttl;
}

function typeOf(options: GetOptions | undefined, isBulk: boolean): ValueType {
  const type = typeof options === "object" && options !== null ? options.type : options;
  if (type === undefined || type === null) return "text";
  if (isBulk && type !== "text" && type !== "json") throw new NativeError(`"${String(type)}" is not a valid type. Use "json" or "text"`);
  if (!types.includes(type)) {
    throw new TypeError(`Unknown response type "${String(type)}". Possible types are "text", "arrayBuffer", "json", and "stream".`);
  }
  return type;
}

function decode(bytes: Uint8Array, type: ValueType): unknown {
  if (type === "text") return decodeUtf8(bytes);
  if (type === "json") return jsonParse(decodeUtf8(bytes));
  if (type === "stream") return streamOf(bytes, () => undefined);
  return (bytes.buffer as ArrayBuffer).slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}

/** Text, bytes and streams as bytes; a number, a boolean and the like as their text, which KV refuses. */
async function encode(value: unknown): Promise<Uint8Array> {
  if (typeof value === "string") return encodeUtf8(value);
  if (value instanceof ArrayBuffer) return new Bytes(value);
  if (isView(value)) return new Bytes(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
  if (value instanceof ReadableStream) return await readAll(value);
  throw new TypeError("KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.");
}

/** The members of a request that say how long a value is kept, and its metadata. */
function kept(options: PutOptions | undefined): { ttl?: number; expiration?: number; metadata?: unknown } {
  const members: { ttl?: number; expiration?: number; metadata?: unknown } = {};
  const { expirationTtl, expiration, metadata } = options ?? {};
  if (expirationTtl !== undefined) members.ttl = checkTtl(expirationTtl);
  else if (expiration !== undefined) {
    const seconds = Number(expiration);
    if (!isInteger(seconds) || seconds <= NativeDate.now() / 1000) {
      throw new NativeError(
        `KV PUT failed: 400 Invalid expiration of ${String(expiration)}. ` +
          "Please specify integer greater than the current number of seconds since the UNIX epoch.",
      );
    }
    members.expiration = seconds;
  }
  if (metadata !== undefined && metadata !== null) {
    const { length } = encodeUtf8(jsonStringify(metadata) ?? "");
    if (length > maxMetadataBytes) {
      throw new NativeError(`KV PUT failed: 413 Metadata length of ${length} exceeds limit of ${maxMetadataBytes}.`);
    }
    members.metadata = metadata;
  }
  return members;
}

/** Below a minute is allowed, and so are fractions of a second. */
function checkTtl(ttl: unknown): number {
  const seconds = Number(ttl);
  if (!(seconds > 0) || seconds === Infinity) {
    throw new NativeError(`KV PUT failed: 400 Invalid expiration_ttl of ${String(ttl)}. Please specify integer greater than 0.`);
  }
  return seconds;
}

/** Entries of an answer: their lengths and metadata in the text, their values in the bytes. */
function entries(text: string, bytes: Uint8Array | undefined): (Entry | null)[] {
  const answer = (jsonParse(text) as { entries: ([number, unknown] | null)[] }).entries;
  const result: (Entry | null)[] = [];
  let at = 0;
  for (let i = 0; i < answer.length; i++) {
    const entry = answer[i]!;
    if (entry === null) {
      result[i] = null;
      continue;
    }
    const [length, metadata] = entry;
    result[i] = { bytes: bytes === undefined ? new Bytes(0) : bytes.subarray(at, at + length), metadata };
    at += length;
  }
  return result;
}

const nothing = (): undefined => undefined;

/** A namespace of keys and values. */
export class KVNamespace {
  readonly #cache: string;

  constructor(cache: string) {
    this.#cache = cache;
  }

  /** Another cache (functions.create_cache). */
  namespace(name: string): KVNamespace {
    return new KVNamespace(String(name));
  }

  async get(key: string | string[], options?: GetOptions): Promise<unknown> {
    if (isArray(key)) return await this.#bulk(key, options, (entry, type) => this.#bulkValue(entry, type));
    const type = typeOf(options, false);
    const [entry] = await this.#read([checkKey("GET", key)], cacheTtlOf(options));
    return entry === null ? null : decode(entry!.bytes, type);
  }

  async getWithMetadata(key: string | string[], options?: GetOptions): Promise<unknown> {
    if (isArray(key)) {
      return await this.#bulk(key, options, (entry, type) => ({ value: this.#bulkValue(entry, type), metadata: entry.metadata }));
    }
    const type = typeOf(options, false);
    const [entry] = await this.#read([checkKey("GET", key)], cacheTtlOf(options));
    return { value: entry === null ? null : decode(entry!.bytes, type), metadata: entry?.metadata ?? null, cacheStatus: null };
  }

  async put(key: string, value: Value, options?: PutOptions): Promise<void> {
    const name = checkKey("PUT", key);
    const members = kept(options);
    await this.#perform("cache.put", { key: name, ...members }, await encode(value), nothing);
  }

  async delete(key: string): Promise<void> {
    await this.#perform("cache.delete", { key: checkKey("DELETE", key) }, undefined, nothing);
  }

  async list(options: { prefix?: string | null; limit?: number | null; cursor?: string | null } = {}): Promise<unknown> {
    const limit = options.limit ?? 1000;
    if (!isInteger(limit) || limit < 1) {
      throw new NativeError(`KV GET failed: 400 Invalid key_count_limit of ${String(limit)}. Please specify an integer greater than 0.`);
    }
    if (limit > 1000) {
      throw new NativeError(`KV GET failed: 400 Invalid key_count_limit of ${limit}. Please specify an integer less than 1000.`);
    }
    const members: Record<string, unknown> = { limit, prefix: options.prefix ?? "" };
    if (options.cursor) members["cursor"] = String(options.cursor);
    const result = await this.#perform("cache.list", members, undefined, (text) => jsonParse(text) as Record<string, unknown>);
    return { ...result, cacheStatus: null };
  }

  /** Adds to a number; a key without a value has 0. The sum, also among simultaneous calls. */
  async increment(key: string, by = 1, options?: { expirationTtl?: number }): Promise<number> {
    if (!isInteger(by)) throw new TypeError("increment takes a whole number.");
    const members: Record<string, unknown> = { key: checkKey("PUT", key), by };
    if (options?.expirationTtl !== undefined) members["ttl"] = checkTtl(options.expirationTtl);
    return await this.#perform("cache.increment", members, undefined, (text) => jsonParse(text) as number);
  }

  /** Stores a value if the present one is as expected (null: there is none); whether it did. */
  async compareAndSet(key: string, expected: Value | null, value: Value, options?: PutOptions): Promise<boolean> {
    const name = checkKey("PUT", key);
    const members = kept(options);
    const before = expected === null || expected === undefined ? undefined : await encode(expected);
    const after = await encode(value);
    const payload = new Bytes((before?.length ?? 0) + after.length);
    if (before !== undefined) payload.set(before);
    payload.set(after, before?.length ?? 0);
    const request = { key: name, expected: before?.length ?? null, ...members };
    return await this.#perform("cache.swap", request, payload, (text) => text === "true");
  }

  /**
   * The value of a key; if there is none, what `compute` returns, which is stored. Of simultaneous calls, in all sidecars,
   * one computes and the others wait for it. If it fails, the next one computes.
   */
  async getOrSet(
    key: string,
    compute: () => unknown,
    options: PutOptions & { type?: "text" | "json" | "arrayBuffer"; lease?: number } = {},
  ): Promise<unknown> {
    const name = checkKey("GET", key);
    const type = typeOf(options.type, false);
    const members = kept(options);
    const lease = Number(options.lease ?? 30);
    const found = await this.#perform("cache.claim", { key: name, lease: lease > 0 ? lease : 30 }, undefined, (text, bytes) => {
      const { claim } = jsonParse(text) as { claim?: string };
      return claim ?? entries(text, bytes)[0]!;
    });
    if (typeof found !== "string") return decode(found.bytes, type);
    try {
      const value = await compute();
      const bytes = await encode(type === "json" ? jsonStringify(value) : value);
      await this.#perform("cache.put", { key: name, claim: found, ...members }, bytes, nothing);
      return decode(bytes, type);
    } catch (thrown) {
      await this.#perform("cache.release", { key: name, claim: found }, undefined, nothing);
      throw thrown;
    }
  }

  async #bulk<T>(
    keys: string[],
    options: GetOptions | undefined,
    convert: (entry: Entry, type: ValueType) => T,
  ): Promise<Map<string, T | null>> {
    if (keys.length > 100) throw new NativeError("KV GET_BULK failed: 400 You can request a maximum of 100 keys");
    if (keys.length === 0) throw new NativeError("KV GET_BULK failed: 400 You can request a minimum of 1 key");
    const type = typeOf(options, true);
    const names: string[] = [];
    for (let i = 0; i < keys.length; i++) names[i] = checkKey("GET_BULK", keys[i]);
    const found = await this.#read(names, cacheTtlOf(options));
    const result = new Map<string, T | null>();
    for (let i = 0; i < names.length; i++) result.set(names[i]!, found[i] === null ? null : convert(found[i]!, type));
    return result;
  }

  #bulkValue(entry: Entry, type: ValueType): unknown {
    try {
      return decode(entry.bytes, type);
    } catch {
      throw new NativeError("KV GET_BULK failed: 400 At least one of the requested keys corresponds to a non-json value");
    }
  }

  #read(keys: string[], cacheTtl: number | undefined): Promise<(Entry | null)[]> {
    return this.#perform("cache.get", cacheTtl === undefined ? { keys } : { keys, cacheTtl }, undefined, entries);
  }

  #perform<T>(
    name: string,
    members: object,
    bytes: Uint8Array | undefined,
    answer: (text: string, bytes: Uint8Array | undefined) => T,
  ): Promise<T> {
    return perform(name, jsonStringify({ cache: this.#cache, ...members })!, bytes, answer);
  }
}

/** The cache of every database. */
export const cache = new KVNamespace("default");
