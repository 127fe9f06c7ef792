// Converts a query's answer to rows of JavaScript values.
import { defineProperty, endsWith, fromBase64, isArray, jsonParse, slice } from "../../platform/intrinsics";

/** A column: its name and PostgreSQL type, "int8", "text[]" ... */
export interface Field {
  name: string;
  type: string;
}

/** The host's answer to "db.query", and to each statement of "db.batch". */
export interface Answer {
  command: string;
  rowCount: number;
  fields: Field[];
  rows: unknown[][];
  /** Milliseconds. */
  duration: number;
}

export type Row = Record<string, unknown>;

/** The rows of db.query: an array that also has the number of rows that the command affected. */
export type Rows = Row[] & { readonly rowCount: number; readonly command: string; readonly fields: Field[] };

export function parseAnswer(text: string): Answer {
  return decodeValues(jsonParse(text) as Answer);
}

/** Converts values that JSON can't hold to their own types, in place. */
export function decodeValues(answer: Answer): Answer {
  const { fields, rows } = answer;
  for (let column = 0; column < fields.length; column++) {
    const decode = decoderOf(fields[column]!.type);
    if (decode === undefined) continue;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      const value = row[column];
      if (value !== null) row[column] = decode(value);
    }
  }
  return answer;
}

/** The answer's rows as objects, with rowCount, command and fields beside them. */
export function toRows(answer: Answer): Rows {
  const rows = toObjects(answer);
  defineProperty(rows, "rowCount", { value: answer.rowCount });
  defineProperty(rows, "command", { value: answer.command });
  defineProperty(rows, "fields", { value: answer.fields });
  return rows as Rows;
}

/** Each row as an object; of columns with one name, the last counts. */
export function toObjects({ fields, rows }: Answer): Row[] {
  const names: string[] = [];
  for (let column = 0; column < fields.length; column++) names[column] = fields[column]!.name;
  const objects: Row[] = [];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const object: Row = {};
    for (let column = 0; column < names.length; column++) setColumn(object, names[column]!, row[column]);
    objects[i] = object;
  }
  return objects;
}

/** Assignment to `__proto__` would change the row's prototype instead of naming a column. */
function setColumn(row: Row, name: string, value: unknown): void {
  if (name !== "__proto__") row[name] = value;
  else defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true });
}

type Decoder = (value: unknown) => unknown;

function decoderOf(type: string): Decoder | undefined {
  if (endsWith(type, "[]")) {
    const element = decoderOf(slice(type, 0, -2));
    return element && ((value) => decodeArray(value, element));
  }
  if (type === "int8") return decodeInt8;
  return type === "bytea" ? decodeBytea : undefined;
}

/** Numbers within +-2^53 are exact; the host sends others as text. */
function decodeInt8(value: unknown): unknown {
  return typeof value === "string" ? BigInt(value) : value;
}

function decodeBytea(value: unknown): unknown {
  return typeof value === "string" ? fromBase64(value) : value;
}

function decodeArray(value: unknown, element: Decoder): unknown {
  if (!isArray(value)) return value === null ? null : element(value);
  const decoded: unknown[] = [];
  for (let i = 0; i < value.length; i++) decoded[i] = decodeArray(value[i], element);
  return decoded;
}
