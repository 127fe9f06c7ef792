// Objects of buckets, as R2 gives them: R2Object, and R2ObjectBody with the bytes.
import { decodeUtf8, fromHex, jsonParse, NativeDate, objectKeys } from "../../platform/intrinsics";
import { Blob } from "../../platform/web/blob";
import type { Headers } from "../../platform/web/headers";
import { readAll, ReadableStream, streamOf, takeWhole } from "../../platform/web/streams";

/** Metadata that becomes headers. */
export interface HttpMetadata {
  contentType?: string;
  contentLanguage?: string;
  contentDisposition?: string;
  contentEncoding?: string;
  cacheControl?: string;
  cacheExpiry?: Date;
}

/** An object as the host writes it. */
export interface Head {
  key: string;
  version: string;
  size: number;
  etag: string;
  uploaded: number;
  storageClass: string;
  http: Record<string, string | number>;
  custom: Record<string, string>;
  checksums: Record<string, string>;
  range?: [offset: number, length: number];
}

/** The checksums of an object: bytes by algorithm, hexadecimal digits as JSON. */
export class R2Checksums {
  readonly #hex: Record<string, string>;

  constructor(hex: Record<string, string>) {
    this.#hex = hex;
  }

  get md5(): ArrayBuffer | undefined { return this.#bytes("md5"); }
  get sha1(): ArrayBuffer | undefined { return this.#bytes("sha1"); }
  get sha256(): ArrayBuffer | undefined { return this.#bytes("sha256"); }
  get sha384(): ArrayBuffer | undefined { return this.#bytes("sha384"); }
  get sha512(): ArrayBuffer | undefined { return this.#bytes("sha512"); }

  toJSON(): Record<string, string> {
    return { ...this.#hex };
  }

  #bytes(name: string): ArrayBuffer | undefined {
    const hex = this.#hex[name];
    return hex === undefined ? undefined : (fromHex(hex).buffer as ArrayBuffer);
  }
}

/** An object without its bytes. */
export class R2Object {
  readonly key: string;
  readonly version: string;
  readonly size: number;
  readonly etag: string;
  readonly httpEtag: string;
  readonly checksums: R2Checksums;
  readonly uploaded: Date;
  readonly storageClass: string;
  declare readonly httpMetadata?: HttpMetadata;
  declare readonly customMetadata?: Record<string, string>;
  declare readonly range?: { offset: number; length: number };

  /** `included`: the optional members that it has; all of them unless it is from a list. */
  constructor(head: Head, included?: readonly string[]) {
    this.key = head.key;
    this.version = head.version;
    this.size = head.size;
    this.etag = head.etag;
    this.httpEtag = '"' + head.etag + '"';
    this.checksums = new R2Checksums(head.checksums);
    this.uploaded = new NativeDate(head.uploaded);
    this.storageClass = head.storageClass;
    if (included === undefined || included.includes("httpMetadata")) {
      const { cacheExpiry, ...texts } = head.http;
      const http = texts as HttpMetadata;
      if (cacheExpiry !== undefined) http.cacheExpiry = new NativeDate(cacheExpiry);
      this.httpMetadata = http;
    }
    if (included === undefined || included.includes("customMetadata")) this.customMetadata = head.custom;
    if (head.range !== undefined) this.range = { offset: head.range[0], length: head.range[1] };
  }

  writeHttpMetadata(headers: Headers): void {
    if (this.httpMetadata === undefined) {
      throw new TypeError(
        "HTTP metadata unknown for key `" + this.key + "`. Did you forget to add 'httpMetadata' to `include` when listing?",
      );
    }
    const { contentType, contentLanguage, contentDisposition, contentEncoding, cacheControl, cacheExpiry } = this.httpMetadata;
    const values: Record<string, string | undefined> = {
      "content-type": contentType, "content-language": contentLanguage, "content-disposition": contentDisposition,
      "content-encoding": contentEncoding, "cache-control": cacheControl, expires: cacheExpiry?.toUTCString(),
    };
    for (const name of objectKeys(values)) if (values[name] !== undefined) headers.set(name, values[name]);
  }
}

/** An object with its bytes, which are read once. */
export class R2ObjectBody extends R2Object {
  readonly #body: ReadableStream<Uint8Array>;
  #isUsed = false;

  /** `content`: the bytes, or the stream of them. */
  constructor(head: Head, content: Uint8Array | ReadableStream<Uint8Array>) {
    super(head);
    this.#body = content instanceof ReadableStream ? content : streamOf(content, () => (this.#isUsed = true));
  }

  get body(): ReadableStream<Uint8Array> {
    return this.#body;
  }

  get bodyUsed(): boolean {
    return this.#isUsed || this.#body.locked;
  }

  async bytes(): Promise<Uint8Array> {
    if (this.bodyUsed) {
      throw new TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
    }
    this.#isUsed = true;
    return (takeWhole(this.#body) as Uint8Array | undefined) ?? (await readAll(this.#body));
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await this.bytes();
    const { buffer, byteLength } = bytes;
    return (buffer.byteLength === byteLength ? buffer : bytes.slice().buffer) as ArrayBuffer;
  }

  async text(): Promise<string> {
    return decodeUtf8(await this.bytes());
  }

  async json(): Promise<unknown> {
    return jsonParse(await this.text());
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.bytes()], { type: this.httpMetadata?.contentType ?? "" });
  }
}
