// The `db` global of the handler form: PostgreSQL's own placeholders, rows as arrays.
import { isArray } from "../../platform/intrinsics";
import { toRows, type Rows } from "./rows";
import { batch, execute, query, statement, type CurrentTransaction, type Statement } from "./statements";
import { inTransaction } from "./transaction";

type BatchItem = string | { sql: string; params?: unknown[] } | [sql: string, params?: unknown[]];

interface Queries {
  query(sql: string, params?: unknown[]): Promise<Rows>;
  batch(items: BatchItem[]): Promise<Rows[]>;
}

/** The statements of `db` or of a transaction. Async, so that a wrong parameter rejects instead of throwing. */
function queries(current: CurrentTransaction): Queries {
  return {
    query: async (sql, params) => await query(statement(sql, params), current(), toRows),
    batch: async (items) => await batch(items.map(batchStatement), current(), toRows),
  };
}

function batchStatement(item: BatchItem): Statement {
  if (typeof item === "string") return statement(item, undefined);
  return isArray(item) ? statement(item[0], item[1]) : statement(item?.sql, item?.params);
}

export const db = {
  ...queries(() => undefined),
  /** A script of statements without parameters; not inside a transaction of the function. */
  exec: async (sql: string): Promise<{ count: number; duration: number }> => await execute(sql),
  transaction<T>(work: (tx: Queries) => T | Promise<T>): Promise<T> {
    return inTransaction((current) => work(queries(current)));
  },
};
