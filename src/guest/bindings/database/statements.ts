// The database's host operations, used by both `db` and `env.DB`.
import { currentInvocation } from "../../invocation/current";
import { jsonParse, jsonStringify } from "../../platform/intrinsics";
import { perform } from "../../platform/operations";
import { encodeParameters, floatSizes } from "./parameters";
import { decodeValues, parseAnswer, type Answer } from "./rows";

export interface Statement {
  sql: string;
  params: (string | null)[];
  /** See floatSizes. */
  floats?: number[] | undefined;
}

/** The number of the interactive transaction that statements belong to; undefined outside of one. Throws when the transaction has ended. */
export type CurrentTransaction = () => number | undefined;

/** Checks and encodes a statement; a wrong type is a TypeError. */
export function statement(sql: unknown, params: readonly unknown[] | undefined | null): Statement {
  if (typeof sql !== "string") throw new TypeError(`The statement must be a string, not ${sql === null ? "null" : typeof sql}.`);
  return { sql, params: encodeParameters(params), floats: floatSizes(params) };
}

export function query<T>({ sql, params, floats }: Statement, tx: number | undefined, decode: (answer: Answer) => T): Promise<T> {
  currentInvocation("The database");
  return perform("db.query", jsonStringify({ sql, params, floats, tx })!, undefined, (text) => decode(parseAnswer(text)));
}

/** Runs statements in order, all of them or none: one operation, or inside a transaction one after the other. */
export async function batch<T>(
  statements: readonly Statement[],
  tx: number | undefined,
  decode: (answer: Answer) => T,
): Promise<T[]> {
  currentInvocation("The database");
  const decoded: T[] = [];
  if (tx !== undefined) {
    for (let i = 0; i < statements.length; i++) decoded[i] = await query(statements[i]!, tx, decode);
    return decoded;
  }
  const answer = await perform("db.batch", jsonStringify({ statements })!, undefined, (text) => text);
  const { results } = jsonParse(answer) as { results: Answer[] };
  for (let i = 0; i < results.length; i++) decoded[i] = decode(decodeValues(results[i]!));
  return decoded;
}

/** Runs a script of statements without parameters; returns their `count` and the `duration` in milliseconds. */
export function execute(sql: unknown): Promise<{ count: number; duration: number }> {
  currentInvocation("The database");
  const text = jsonStringify({ sql: statement(sql, undefined).sql })!;
  return perform("db.exec", text, undefined, (answer) => jsonParse(answer) as { count: number; duration: number });
}
