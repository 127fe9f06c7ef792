// Interactive transactions: BEGIN, the function's own steps, then COMMIT, or ROLLBACK when a step threw.
import { currentInvocation } from "../invocation/current";
import { jsonParse, jsonStringify } from "../intrinsics";
import { perform } from "../operations";
import type { Dialect } from "./statements";

/** The dialect of a transaction's statements; after the end, using it throws. */
export interface OpenTransaction {
  dialect(): Dialect;
}

/** Runs `work` inside a transaction; gives its result, or rolls back and throws what it threw. */
export async function inTransaction<T>(base: Dialect, work: (transaction: OpenTransaction) => T | Promise<T>): Promise<T> {
  currentInvocation("The database");
  if (typeof work !== "function") throw new TypeError("transaction needs a function: transaction(async tx => { ... })");
  const tx = await perform("db.begin", "{}", undefined, (text) => (jsonParse(text) as { tx: number }).tx);
  let open = true;
  const dialect: Dialect = { ...base, tx };
  const end = (name: string) => {
    open = false;
    return perform(name, jsonStringify({ tx })!, undefined, () => undefined);
  };
  let result: T;
  try {
    result = await work({
      dialect() {
        if (!open) throw new Error("The transaction has ended; await its statements before its function returns.");
        return dialect;
      },
    });
  } catch (error) {
    // The function's error says more than a failed rollback, after which the host discards the connection anyway.
    await end("db.rollback").catch(() => undefined);
    throw error;
  }
  await end("db.commit");
  return result;
}
