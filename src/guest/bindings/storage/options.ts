// The options of a bucket's methods, checked as R2 checks them, in the form that the host reads.
import { isInteger, isView, Bytes, NativeDate, NativeError, objectKeys, toHex } from "../../platform/intrinsics";
import { Headers } from "../../platform/web/headers";
import type { HttpMetadata } from "./object";

type Hash = ArrayBuffer | ArrayBufferView | string;

export interface Conditional {
  etagMatches?: string;
  etagDoesNotMatch?: string;
  uploadedBefore?: Date;
  uploadedAfter?: Date;
  secondsGranularity?: boolean;
}

export interface PutOptions {
  onlyIf?: Conditional | Headers;
  httpMetadata?: HttpMetadata | Headers;
  customMetadata?: Record<string, string>;
  storageClass?: string;
  md5?: Hash;
  sha1?: Hash;
  sha256?: Hash;
  sha384?: Hash;
  sha512?: Hash;
  ssecKey?: unknown;
}

export interface GetOptions {
  onlyIf?: Conditional | Headers;
  range?: { offset?: number; length?: number; suffix?: number } | Headers;
  ssecKey?: unknown;
}

type Pattern = [value: string | null, isWeak: boolean];

const algorithms: Record<string, [label: string, bytes: number]> = {
  md5: ["MD5", 16], sha1: ["SHA-1", 20], sha256: ["SHA-256", 32], sha384: ["SHA-384", 48], sha512: ["SHA-512", 64],
};
const hexadecimal = /^[0-9a-fA-F]*$/;

/** A request's members for `onlyIf`. */
export function condition(onlyIf: Conditional | Headers | undefined): Record<string, unknown> | undefined {
  if (onlyIf === undefined || onlyIf === null) return undefined;
  const members: Record<string, unknown> = {};
  const date = (name: string, value: Date | string | number | null | undefined) => {
    if (value === undefined || value === null) return;
    const time = new NativeDate(value).getTime();
    if (!isInteger(time)) throw new TypeError(`${name} is not a date.`);
    members[name] = time;
  };
  if (onlyIf instanceof Headers) {
    const matches = onlyIf.get("if-match");
    const others = onlyIf.get("if-none-match");
    if (matches !== null) members["etagMatches"] = etags(matches, "if-match");
    if (others !== null) members["etagDoesNotMatch"] = etags(others, "if-none-match");
    date("uploadedAfter", onlyIf.get("if-modified-since"));
    date("uploadedBefore", onlyIf.get("if-unmodified-since"));
    members["seconds"] = true;
    return members;
  }
  const { etagMatches, etagDoesNotMatch, uploadedBefore, uploadedAfter, secondsGranularity } = onlyIf;
  if (etagMatches !== undefined) members["etagMatches"] = [etag(String(etagMatches))];
  if (etagDoesNotMatch !== undefined) members["etagDoesNotMatch"] = [etag(String(etagDoesNotMatch))];
  date("uploadedBefore", uploadedBefore);
  date("uploadedAfter", uploadedAfter);
  if (secondsGranularity) members["seconds"] = true;
  return members;
}

function etag(value: string): Pattern {
  if (value.length > 1 && value.startsWith('"') && value.endsWith('"')) {
    throw new TypeError(`Conditional ETag should not be wrapped in quotes (${value}).`);
  }
  return [value === "*" ? null : value, false];
}

/** The etags of a header: `*`, or quoted ones, some of them weak. */
function etags(header: string, name: string): Pattern[] {
  const patterns: Pattern[] = [];
  let rest = header.trim();
  while (rest !== "") {
    if (rest[0] === ",") {
      rest = rest.slice(1).trim();
      continue;
    }
    if (rest[0] === "*") return [[null, false]];
    const isWeak = rest.startsWith("W/");
    const quoted = isWeak ? rest.slice(2) : rest;
    if (quoted[0] !== '"') throw new NativeError(`Invalid ETag in ${name} header`);
    const end = quoted.indexOf('"', 1);
    if (end < 0) throw new NativeError("Unclosed double quote for Etag");
    patterns.push([quoted.slice(1, end), isWeak]);
    rest = quoted.slice(end + 1).trim();
    if (rest !== "" && rest[0] !== ",") {
      const found = rest[0] === "*" ? "a wildcard character '*' instead."
        : rest[0] === '"' ? "a double quote character '\"' instead. This would otherwise indicate the start of a new strong etag."
        : "a weak quotation character 'W' instead. This would otherwise indicate the start of a new weak etag.";
      throw new NativeError("Comma was expected to separate etags. Encountered " + found);
    }
  }
  return patterns;
}

/** A request's members for `range`. */
export function range(given: GetOptions["range"]): Record<string, unknown> | undefined {
  if (given === undefined || given === null) return undefined;
  if (given instanceof Headers) {
    const header = given.get("range");
    return header === null ? undefined : { header };
  }
  const { offset, length, suffix } = given;
  const check = (value: number | undefined, label: string, name: string) => {
    if (value === undefined) return;
    if (!(value >= 0)) throw new RangeError(`Invalid ${label}. ${name} (${value}) must be greater than or equal to 0.`);
    if (!isInteger(value)) throw new RangeError(`Invalid range. ${name} (${value}) must be an integer, not floating point.`);
  };
  check(offset, "range", "Starting offset");
  check(length, "range", "Length");
  if (suffix !== undefined) {
    if (offset !== undefined) throw new TypeError("Suffix is incompatible with offset.");
    if (length !== undefined) throw new TypeError("Suffix is incompatible with length.");
    check(suffix, "suffix", "Suffix");
  }
  return { offset, length, suffix };
}

/** A request's members for the metadata of an object. */
export function metadata(options: PutOptions | undefined): Record<string, unknown> {
  const { httpMetadata, customMetadata, storageClass, ssecKey } = options ?? {};
  if (ssecKey !== undefined) throw new TypeError("ssecKey is not supported: encrypt what you put, for example with crypto.subtle.");
  const members: Record<string, unknown> = {};
  if (httpMetadata !== undefined) members["http"] = http(httpMetadata);
  if (customMetadata !== undefined) {
    const texts: Record<string, string> = {};
    for (const name of objectKeys(customMetadata)) texts[name] = String(customMetadata[name]);
    members["custom"] = texts;
  }
  if (storageClass !== undefined) members["storageClass"] = String(storageClass);
  return members;
}

function http(given: HttpMetadata | Headers): Record<string, unknown> {
  const read = given instanceof Headers
    ? {
        contentType: given.get("content-type"), contentLanguage: given.get("content-language"),
        contentDisposition: given.get("content-disposition"), contentEncoding: given.get("content-encoding"),
        cacheControl: given.get("cache-control"), cacheExpiry: given.get("expires"),
      }
    : given;
  const members: Record<string, unknown> = {};
  for (const name of ["contentType", "contentLanguage", "contentDisposition", "contentEncoding", "cacheControl"] as const) {
    const value = read[name];
    if (value !== undefined && value !== null) members[name] = String(value);
  }
  if (read.cacheExpiry !== undefined && read.cacheExpiry !== null) {
    const time = new NativeDate(read.cacheExpiry).getTime();
    if (!isInteger(time)) throw new TypeError("cacheExpiry is not a date.");
    members["cacheExpiry"] = time;
  }
  return members;
}

/** A request's member for a checksum. */
export function digest(options: PutOptions | undefined): { digest?: { name: string; hex: string } } {
  let found: { name: string; hex: string } | undefined;
  for (const name of objectKeys(algorithms)) {
    const value = options?.[name as "md5"];
    if (value === undefined) continue;
    if (found !== undefined) throw new TypeError("You cannot specify multiple hashing algorithms.");
    const [label, length] = algorithms[name]!;
    if (typeof value === "string") {
      if (value.length !== length * 2) throw new TypeError(`${label} is ${length * 2} hex characters, not ${value.length}`);
      if (!hexadecimal.test(value)) throw new TypeError(`Provided ${label} wasn't a valid hex string`);
      found = { name, hex: value };
      continue;
    }
    const bytes = isView(value)
      ? new Bytes(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
      : new Bytes(value);
    if (bytes.length !== length) throw new TypeError(`${label} is ${length} bytes, not ${bytes.length}`);
    found = { name, hex: toHex(bytes) };
  }
  return found === undefined ? {} : { digest: found };
}
