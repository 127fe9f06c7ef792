// The part of DER (ITU-T X.690) that keys need: elements with a one-byte tag and a definite length.
import { concat } from "../streams";

export const Tag = { integer: 0x02, bitString: 0x03, octetString: 0x04, null: 0x05, oid: 0x06, sequence: 0x30 } as const;

export interface Element {
  tag: number;
  content: Uint8Array;
  /** The element with its tag and length. */
  whole: Uint8Array;
}

function malformed(): DOMException {
  return new DOMException("The key is not valid DER of the stated format.", "DataError");
}

/** The elements of a constructed element's content, or of a whole input. */
export function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    let header = 2;
    let length = bytes[at + 1] ?? NaN;
    if (length > 0x80) {
      header += length - 0x80;
      if (header > 6) throw malformed();
      length = bytes.subarray(at + 2, at + header).reduce((sum, byte) => sum * 256 + byte, 0);
    }
    const end = at + header + length;
    if (!(end <= bytes.length)) throw malformed();
    found.push({ tag: bytes[at]!, content: bytes.subarray(at + header, end), whole: bytes.subarray(at, end) });
    at = end;
  }
  return found;
}

/** The members of a sequence, which must be the whole input. */
export function sequence(bytes: Uint8Array): Element[] {
  const [outer, ...more] = elements(bytes);
  if (outer?.tag !== Tag.sequence || more.length > 0) throw malformed();
  return elements(outer.content);
}

/** The content of an element, which must have the given tag. */
export function contentOf(element: Element | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw malformed();
  return element.content;
}

export function encode(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const header = [tag];
  if (length < 0x80) header.push(length);
  else {
    const digits: number[] = [];
    for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
    header.push(0x80 + digits.length, ...digits);
  }
  return concat([Uint8Array.from(header), ...parts], header.length + length);
}

/** A big-endian unsigned number as an INTEGER: no leading zeros except one that keeps it positive. */
export function encodeInteger(number: Uint8Array): Uint8Array {
  let from = 0;
  while (from < number.length - 1 && number[from] === 0) from++;
  const digits = number.subarray(from);
  return digits[0]! >= 0x80 ? encode(Tag.integer, Uint8Array.of(0), digits) : encode(Tag.integer, digits);
}

/** An INTEGER's number, big-endian, without leading zeros. */
export function integer(element: Element | undefined): Uint8Array {
  const content = contentOf(element, Tag.integer);
  return content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
}
