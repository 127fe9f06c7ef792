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

/** Runs statements in order, all of them or none: one operation, or inside a transaction one after the other. */
export async function batch<T>(
  statements: readonly Statement[],
  dialect: Dialect,
  decode: (answer: Answer) => T,
): Promise<T[]> {
  currentInvocation("The database");
  const decoded: T[] = [];
  if (dialect.tx !== undefined) {
    for (let i = 0; i < statements.length; i++) decoded[i] = await query(statements[i]!, dialect, decode);
    return decoded;
  }
  const answer = await perform("db.batch", jsonStringify({ statements, d1: dialect.d1 })!, undefined, (text) => text);
  const { results } = jsonParse(answer) as { results: Answer[] };
  for (let i = 0; i < results.length; i++) decoded[i] = decode(decodeValues(results[i]!));
  return decoded;
}

/** Runs a script of statements without parameters; `count` of them ran, in `duration` milliseconds. */
export function execute(sql: unknown): Promise<{ count: number; duration: number }> {
  currentInvocation("The database");
  const text = jsonStringify({ sql: statement(sql, undefined).sql })!;
  return perform("db.exec", text, undefined, (answer) => jsonParse(answer) as { count: number; duration: number });
}
