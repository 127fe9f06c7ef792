// The `db` global of the handler form: PostgreSQL's own placeholders, rows as arrays.
import { isArray } from "../intrinsics";
import { toRows, type Rows } from "./rows";
import { batch, execute, query, statement, type Dialect, type Statement } from "./statements";
import { inTransaction } from "./transaction";

type BatchItem = string | { sql: string; params?: unknown[] } | [sql: string, params?: unknown[]];

interface Queries {
  query(sql: string, params?: unknown[]): Promise<Rows>;
  batch(items: BatchItem[]): Promise<Rows[]>;
}

const plain: Dialect = {};

/** The statements of `db`, or of a transaction of it. Async, so that a wrong parameter rejects instead of throwing. */
function queries(dialect: () => Dialect): Queries {
  return {
    query: async (sql, params) => await query(statement(sql, params), dialect(), toRows),
    batch: async (items) => await batch(items.map(batchStatement), dialect(), toRows),
  };
}

function batchStatement(item: BatchItem): Statement {
  if (typeof item === "string") return statement(item, undefined);
  return isArray(item) ? statement(item[0], item[1]) : statement(item?.sql, item?.params);
}

export const db = {
  ...queries(() => plain),
  /** A script of statements without parameters; not inside a transaction of the function's. */
  exec: async (sql: string): Promise<{ count: number; duration: number }> => await execute(sql),
  transaction<T>(work: (tx: Queries) => T | Promise<T>): Promise<T> {
    return inTransaction(plain, (transaction) => work(queries(transaction.dialect)));
  },
};
