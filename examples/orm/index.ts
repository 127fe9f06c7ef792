// Drizzle and Kysely over env.DB, by their drivers for D1. Their queries run in PostgreSQL, as the caller.
import { desc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { Kysely } from "kysely";
import { D1Dialect } from "kysely-d1";
import { tasks, type Database } from "./tasks";

interface Environment {
  DB: ConstructorParameters<typeof D1Dialect>[0]["database"];
}

async function withDrizzle({ DB }: Environment, title: string): Promise<unknown> {
  const db = drizzle(DB);
  const [added] = await db.insert(tasks).values({ title }).returning();
  await db.update(tasks).set({ title: `${title}!` }).where(eq(tasks.id, added!.id));
  return await db.select({ title: tasks.title }).from(tasks).where(eq(tasks.id, added!.id)).orderBy(desc(tasks.title)).limit(1);
}

async function withKysely({ DB }: Environment, title: string): Promise<unknown> {
  const db = new Kysely<Database>({ dialect: new D1Dialect({ database: DB }) });
  const { id } = await db.insertInto("orm_tasks").values({ title, done: true } as never).returning("id").executeTakeFirstOrThrow();
  return await db.selectFrom("orm_tasks").select(["title", "done"]).where("id", "=", id).executeTakeFirst();
}

export default {
  async fetch(request: Request, env: Environment): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const title = searchParams.get("title") ?? "a task";
    if (pathname === "/drizzle") return Response.json(await withDrizzle(env, title));
    if (pathname === "/kysely") return Response.json(await withKysely(env, title));
    if (pathname === "/broken") throw new Error("on purpose");
    return new Response("Try /drizzle or /kysely.", { status: 404 });
  },
};
