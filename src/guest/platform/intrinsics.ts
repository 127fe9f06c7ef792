// The built-ins that the protocol's path relies on, captured before any user code runs. A function that replaces
// JSON.parse or a prototype's method affects only itself: the protocol keeps working, and its calls stay hidden.
// (On that path strings are joined by +, because QuickJS runs a template literal by calling String.prototype.concat.)

type Uncurried<T, A extends unknown[], R> = (self: T, ...args: A) => R;

/** A method as a function whose first argument is its `this`. */
export function uncurry<T, A extends unknown[], R>(method: (this: T, ...args: A) => R): Uncurried<T, A, R> {
  return Function.prototype.call.bind(method as never) as unknown as Uncurried<T, A, R>;
}

export const jsonParse = JSON.parse as (text: string) => unknown;
export const jsonStringify = JSON.stringify as (value: unknown) => string | undefined;
export const isArray = Array.isArray;
export const isInteger = Number.isInteger;
export const objectKeys = Object.keys;
export const getOwnNames = Object.getOwnPropertyNames;
export const defineProperty = Object.defineProperty;
export const getPrototypeOf = Object.getPrototypeOf;
export const objectPrototype = Object.prototype;
export const hasOwn = Object.hasOwn;
export const apply = Reflect.apply;
export const isView = ArrayBuffer.isView;

export const NativePromise = Promise;
export const NativeError = Error;
export const Bytes = Uint8Array;
export const Floats = Float32Array;
export const Doubles = Float64Array;
export const NativeDate = Date;

export const toIsoString = uncurry(Date.prototype.toISOString) as (date: Date) => string;
export const toHex = uncurry(Uint8Array.prototype.toHex) as (bytes: Uint8Array) => string;
export const toBase64 = uncurry(Uint8Array.prototype.toBase64 as () => string) as (bytes: Uint8Array) => string;
export const fromBase64 = Uint8Array.fromBase64;
export const fromHex = Uint8Array.fromHex as (text: string) => Uint8Array<ArrayBuffer>;

export const slice = uncurry(String.prototype.slice) as (text: string, from: number, to?: number) => string;
export const toLowerCase = uncurry(String.prototype.toLowerCase) as (text: string) => string;
export const trim = uncurry(String.prototype.trim) as (text: string) => string;
export const charCodeAt = uncurry(String.prototype.charCodeAt) as (text: string, index: number) => number;
export const startsWith = uncurry(String.prototype.startsWith) as (text: string, prefix: string) => boolean;
export const endsWith = uncurry(String.prototype.endsWith) as (text: string, suffix: string) => boolean;
export const includes = uncurry(String.prototype.includes) as (text: string, part: string) => boolean;
export const split = uncurry(String.prototype.split as (separator: string) => string[]) as (
  text: string,
  separator: string,
) => string[];
export const replaceAll = uncurry(String.prototype.replaceAll as (from: string, to: string) => string) as (
  text: string,
  from: string,
  to: string,
) => string;

const utf8Decoder = new TextDecoder();
const utf8Encoder = new TextEncoder();
const decode = uncurry(TextDecoder.prototype.decode) as (decoder: TextDecoder, bytes: Uint8Array) => string;
const encode = uncurry(TextEncoder.prototype.encode) as (encoder: TextEncoder, text: string) => Uint8Array<ArrayBuffer>;

/** UTF-8 to text; a malformed sequence becomes U+FFFD and a byte order mark is dropped, as the Fetch standard requires. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decode(utf8Decoder, bytes);
}

/** Text to UTF-8; a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encode(utf8Encoder, text);
}
