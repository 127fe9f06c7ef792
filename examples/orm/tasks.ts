// The table, as each of the two libraries wants to know it.
import { sqliteTable, text } from "drizzle-orm/sqlite-core";

// Drizzle's D1 driver writes NULL where a row has no value of its own, so a key is made here and not left to the database.
export const tasks = sqliteTable("orm_tasks", {
  id: text("id").primaryKey().$defaultFn(() => crypto.randomUUID()),
  title: text("title").notNull(),
});

export interface Database {
  orm_tasks: { id: string; title: string; done: boolean };
}
