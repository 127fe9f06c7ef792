// The database's host operations, as both surfaces (`db` and `env.DB`) use them.
import { currentInvocation } from "../invocation/current";
import { jsonParse, jsonStringify } from "../intrinsics";
import { perform } from "../operations";
import { encodeParameters } from "./parameters";
import { decodeValues, parseAnswer, type Answer } from "./rows";

export interface Statement {
  sql: string;
  params: (string | null)[];
}

/** How statements are sent: D1 placeholders or PostgreSQL's own, inside which transaction. */
export interface Dialect {
  /** `?` and `?NNN` stand for parameters. */
  d1?: true;
  /** The interactive transaction's number. */
  tx?: number;
}

/** A statement ready to be sent; a wrong type is a TypeError. */
export function statement(sql: unknown, params: readonly unknown[] | undefined | null): Statement {
  if (typeof sql !== "string") throw new TypeError(`The statement must be a string, not ${sql === null ? "null" : typeof sql}.`);
  return { sql, params: encodeParameters(params) };
}

export function query<T>({ sql, params }: Statement, { d1, tx }: Dialect, decode: (answer: Answer) => T): Promise<T> {
  currentInvocation("The database");
  return perform("db.query", jsonStringify({ sql, params, tx, d1 })!, undefined, (text) => decode(parseAnswer(text)));
}

/** Runs statements in order, in one transaction. */
export function batch<T>(statements: readonly Statement[], { d1, tx }: Dialect, decode: (answer: Answer) => T): Promise<T[]> {
  currentInvocation("The database");
  return perform("db.batch", jsonStringify({ statements, tx, d1 })!, undefined, (text) => {
    const { results } = jsonParse(text) as { results: Answer[] };
    const decoded: T[] = [];
    for (let i = 0; i < results.length; i++) decoded[i] = decode(decodeValues(results[i]!));
    return decoded;
  });
}

/** Runs a script of statements without parameters; `count` of them ran, in `duration` milliseconds. */
export function execute(sql: unknown, { tx }: Dialect): Promise<{ count: number; duration: number }> {
  currentInvocation("The database");
  const text = jsonStringify({ sql: statement(sql, undefined).sql, tx })!;
  return perform("db.exec", text, undefined, (answer) => jsonParse(answer) as { count: number; duration: number });
}
