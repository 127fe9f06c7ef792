// Encodes JavaScript values in PostgreSQL's text form; the server infers each parameter's type from the statement.
import {
  Bytes, Doubles, Floats, isArray, isView, jsonStringify, NativeDate, replaceAll, toHex, toIsoString,
} from "../../platform/intrinsics";

/** Encodes the parameters of a statement. A value that can't be sent is a TypeError that names its position. */
export function encodeParameters(params: readonly unknown[] | undefined | null): (string | null)[] {
  if (params === undefined || params === null) return [];
  if (!isArray(params)) throw new TypeError("Parameters must be an array, one value for each of $1, $2 ...");
  const texts: (string | null)[] = [];
  for (let i = 0; i < params.length; i++) texts[i] = encodeParameter(params[i], i);
  return texts;
}

/**
 * For each parameter, the bytes of a number (4 or 8) of a Float32Array or Float64Array, else 0; undefined if there is none of these. The
 * host writes such a parameter as a vector or an array where the statement has one, and leaves it bytea elsewhere.
 */
export function floatSizes(params: readonly unknown[] | undefined | null): number[] | undefined {
  if (params === undefined || params === null || !isArray(params)) return undefined;
  let sizes: number[] | undefined;
  for (let i = 0; i < params.length; i++) {
    const size = params[i] instanceof Floats ? 4 : params[i] instanceof Doubles ? 8 : 0;
    if (size === 0) continue;
    if (sizes === undefined) {
      sizes = [];
      for (let j = 0; j < params.length; j++) sizes[j] = 0;
    }
    sizes[i] = size;
  }
  return sizes;
}

function encodeParameter(value: unknown, index: number): string | null {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
    case "boolean":
      return "" + value;
    case "undefined":
      return null;
    case "object":
      return value === null ? null : encodeObject(value, index);
    default:
      throw new TypeError(`Parameter $${index + 1} is a ${typeof value}, which PostgreSQL has no value for.`);
  }
}

function encodeObject(value: object, index: number): string | null {
  if (value instanceof NativeDate) {
    if (value.getTime() !== value.getTime()) throw new TypeError(`Parameter $${index + 1} is an invalid Date.`);
    return toIsoString(value);
  }
  if (isArray(value)) return encodeArray(value, index, 0);
  if (value instanceof ArrayBuffer) return "\\x" + toHex(new Bytes(value));
  if (isView(value)) return "\\x" + toHex(new Bytes(value.buffer, value.byteOffset, value.byteLength));
  try {
    return jsonStringify(value) ?? null;
  } catch (error) {
    throw new TypeError(`Parameter $${index + 1} can't be written as JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** PostgreSQL allows six dimensions; a deeper nesting is a cycle or a mistake. */
const maxDimensions = 6;

function encodeArray(items: readonly unknown[], index: number, depth: number): string {
  if (depth === maxDimensions) {
    throw new TypeError(`Parameter $${index + 1} is nested deeper than PostgreSQL's ${maxDimensions} array dimensions.`);
  }
  let literal = "{";
  for (let i = 0; i < items.length; i++) {
    if (i > 0) literal += ",";
    const item = items[i];
    if (isArray(item)) {
      literal += encodeArray(item, index, depth + 1);
    } else {
      const text = encodeParameter(item, index);
      literal += text === null ? "NULL" : typeof item === "number" || typeof item === "boolean" ? text : quote(text);
    }
  }
  return literal + "}";
}

function quote(text: string): string {
  return '"' + replaceAll(replaceAll(text, "\\", "\\\\"), '"', '\\"') + '"';
}
