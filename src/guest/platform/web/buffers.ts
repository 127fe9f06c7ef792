// Web IDL's BufferSource: an ArrayBuffer or a view of one.
import { Bytes, isView } from "../intrinsics";

export type BufferSource = ArrayBuffer | ArrayBufferView;

/** Copies the current bytes; a TypeError names what was expected if the value is no buffer. */
export function copyBytes(source: unknown, what: string): Uint8Array<ArrayBuffer> {
  return bytesOf(source, what).slice() as Uint8Array<ArrayBuffer>;
}

/** The bytes themselves. */
export function bytesOf(source: unknown, what: string): Uint8Array<ArrayBuffer> {
  if (source instanceof ArrayBuffer) return new Bytes(source);
  if (isView(source)) return new Bytes(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength);
  throw new TypeError(`${what} must be an ArrayBuffer or a view of one.`);
}
