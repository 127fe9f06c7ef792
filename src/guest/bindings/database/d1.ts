// `env.DB`: the D1 surface, over PostgreSQL.
import { defineProperty, hasOwn, objectKeys } from "../../platform/intrinsics";
import { toObjects, type Answer, type Row } from "./rows";
import { batch, execute, query, statement, type CurrentTransaction, type Statement } from "./statements";
import { inTransaction } from "./transaction";

interface Meta {
  /** Milliseconds. */
  duration: number;
  rows_read: number;
  rows_written: number;
  /** PostgreSQL has no row ids; `returning` gives the key. */
  last_row_id: null;
  changed_db: boolean;
  changes: number;
  /** Not measured. */
  size_after: null;
  served_by: "postgresql";
}

interface Result {
  success: true;
  results: Row[];
  meta: Meta;
}

const writing: Record<string, true> = { __proto__: null, INSERT: true, UPDATE: true, DELETE: true, MERGE: true } as never;

function toResult(answer: Answer): Result {
  const changes = writing[answer.command] ? answer.rowCount : 0;
  return {
    success: true,
    results: toObjects(answer),
    meta: {
      duration: answer.duration,
      rows_read: answer.rows.length,
      rows_written: changes,
      last_row_id: null,
      changed_db: changes > 0,
      changes,
      size_after: null,
      served_by: "postgresql",
    },
  };
}

/** A PostgreSQL error with D1's prefix; it keeps the code, detail, position ... and has the original as its cause. */
function d1Error(error: unknown): unknown {
  if (!(error instanceof Error) || error.message.startsWith("D1_")) return error;
  const wrapped = new Error(`D1_ERROR: ${error.message}`, { cause: error });
  const own = error as unknown as Record<string, unknown>;
  for (const key of objectKeys(own)) (wrapped as unknown as Record<string, unknown>)[key] = own[key];
  defineProperty(wrapped, "stack", { value: error.stack, writable: true, configurable: true });
  return wrapped;
}

async function orD1Error<T>(pending: Promise<T>): Promise<T> {
  try {
    return await pending;
  } catch (error) {
    throw d1Error(error);
  }
}

/** A prepared statement; `bind` returns a new one, so that a statement can be bound many times. */
export class D1PreparedStatement {
  readonly #sql: string;
  readonly #params: readonly unknown[];
  readonly #current: CurrentTransaction;

  constructor(sql: string, params: readonly unknown[], current: CurrentTransaction) {
    this.#sql = sql;
    this.#params = params;
    this.#current = current;
  }

  bind(...values: unknown[]): D1PreparedStatement {
    return new D1PreparedStatement(this.#sql, values, this.#current);
  }

  /** The first row, or the value of one of its columns; null when there is no row. */
  async first(column?: string): Promise<unknown> {
    const { results } = await this.#query(toResult);
    const row = results[0];
    if (row === undefined) return null;
    if (column === undefined) return row;
    if (!hasOwn(row, column)) {
      throw new Error(`D1_ERROR: D1_COLUMN_NOTFOUND: Column not found (${column})`, { cause: new Error("Column not found") });
    }
    return row[column];
  }

  async all(): Promise<Result> {
    return await this.#query(toResult);
  }

  async run(): Promise<Result> {
    return await this.#query(toResult);
  }

  /** Rows as arrays, with the column names first if wanted. */
  async raw(options?: { columnNames?: boolean }): Promise<unknown[][]> {
    return await this.#query(({ fields, rows }) =>
      options?.columnNames ? [fields.map((field) => field.name), ...rows] : rows,
    );
  }

  #query<T>(decode: (answer: Answer) => T): Promise<T> {
    return orD1Error(query(D1PreparedStatement.toStatement(this), this.#current(), decode));
  }

  static toStatement(prepared: unknown): Statement {
    if (typeof prepared !== "object" || prepared === null || !(#sql in prepared)) {
      throw new TypeError("batch needs an array of prepared statements: DB.prepare(sql).bind(...)");
    }
    return statement(prepared.#sql, prepared.#params);
  }
}

/** The common part of a database, a session and a transaction. */
class D1Statements {
  readonly #current: CurrentTransaction;

  constructor(current: CurrentTransaction) {
    this.#current = current;
  }

  prepare(sql: string): D1PreparedStatement {
    if (typeof sql !== "string") throw new TypeError("prepare needs the statement as a string.");
    return new D1PreparedStatement(sql, [], this.#current);
  }

  /** Runs prepared statements in order, in one transaction: all of them, or none. */
  async batch(statements: D1PreparedStatement[]): Promise<Result[]> {
    return await orD1Error(batch([...statements].map(D1PreparedStatement.toStatement), this.#current(), toResult));
  }
}

/** A database or a session: these also run scripts, which a transaction can't. */
class D1Connection extends D1Statements {
  /** Runs a script of statements without parameters. */
  async exec(sql: string): Promise<{ count: number; duration: number }> {
    return await orD1Error(execute(sql));
  }
}

/** A session. One database serves all sessions, so each sees all earlier writes. */
class D1DatabaseSession extends D1Connection {
  readonly #bookmark: string;

  constructor(bookmark: string) {
    super(() => undefined);
    this.#bookmark = bookmark;
  }

  /** The bookmark with which the session was started; null for a constraint. */
  getBookmark(): string | null {
    return this.#bookmark.startsWith("first-") ? null : this.#bookmark;
  }
}

class D1Database extends D1Connection {
  constructor() {
    super(() => undefined);
  }

  withSession(constraintOrBookmark = "first-unconstrained"): D1DatabaseSession {
    return new D1DatabaseSession(String(constraintOrBookmark));
  }

  /** Beyond D1: an interactive transaction, committed when `work` returns and rolled back when it throws. */
  transaction<T>(work: (tx: D1Statements) => T | Promise<T>): Promise<T> {
    return orD1Transaction(inTransaction((current) => work(new D1Statements(current))));
  }
}

/** Errors of the function's own code pass unchanged. */
async function orD1Transaction<T>(pending: Promise<T>): Promise<T> {
  try {
    return await pending;
  } catch (error) {
    throw error instanceof Error && error.name === "DatabaseError" ? d1Error(error) : error;
  }
}

export const database = new D1Database();
