// Interactive transactions: BEGIN, the function's own steps, then COMMIT, or ROLLBACK if a step threw.
import { currentInvocation } from "../../invocation/current";
import { jsonParse, jsonStringify } from "../../platform/intrinsics";
import { perform } from "../../platform/operations";
import type { CurrentTransaction } from "./statements";

/** Runs `work` inside a transaction; returns its result, or rolls back and rethrows its error. */
export async function inTransaction<T>(work: (current: CurrentTransaction) => T | Promise<T>): Promise<T> {
  currentInvocation("The database");
  if (typeof work !== "function") throw new TypeError("transaction needs a function: transaction(async tx => { ... })");
  const tx = await perform("db.begin", "{}", undefined, (text) => (jsonParse(text) as { tx: number }).tx);
  let open = true;
  const end = (name: string) => {
    open = false;
    return perform(name, jsonStringify({ tx })!, undefined, () => undefined);
  };
  let result: T;
  try {
    result = await work(() => {
      if (!open) throw new Error("The transaction has ended; await its statements before its function returns.");
      return tx;
    });
  } catch (error) {
    // Report the function's error, not a failed rollback: the host then discards the connection anyway.
    await end("db.rollback").catch(() => undefined);
    throw error;
  }
  await end("db.commit");
  return result;
}
