// Packages from npm as they are, bundled: each does what it does in Node.js.
import { PostgrestClient } from "@supabase/postgrest-js";
import { AwsClient } from "aws4fetch";
import { addMonths, differenceInCalendarDays, format, formatDistance, parseISO } from "date-fns";
import { and, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import Handlebars from "handlebars/dist/cjs/handlebars.js";
import { AutoRouter, cors as ittyCors, error, json } from "itty-router";
import { Kysely } from "kysely";
import { D1Dialect } from "kysely-d1";
import { chunk, cloneDeep, debounce, groupBy, merge, orderBy, template } from "lodash-es";
import { marked } from "marked";
import { customAlphabet, nanoid } from "nanoid";
import { v4, v5, v7, validate, version } from "uuid";
import { z } from "zod";
import { collect } from "./collect.mjs";

const cases = {};

cases["lodash-es"] = () => {
  const source = { a: [{ b: 1 }], d: new Date(0), m: new Map([[1, 2]]) };
  const copy = cloneDeep(source);
  return [
    chunk([1, 2, 3, 4, 5], 2), groupBy(["one", "two", "three"], "length"), merge({ a: { x: 1 } }, { a: { y: [2] } }), copy.a[0] !== source.a[0], copy.m.get(1),
    orderBy([{ n: 2 }, { n: 1 }], ["n"], ["desc"]), template("hello <%= user %>!")({ user: "fred" }), typeof debounce(() => 1, 10),
  ];
};
cases["date-fns"] = () => [
  format(new Date(Date.UTC(2024, 1, 29, 12, 30)), "yyyy-MM-dd'T'HH:mm EEEE do"), addMonths(new Date(Date.UTC(2024, 0, 31)), 1).toISOString(),
  differenceInCalendarDays(parseISO("2024-03-01"), parseISO("2024-02-01")), formatDistance(0, 3 * 86_400_000, { addSuffix: true }),
];
cases.zod = () => {
  const schema = z.object({ name: z.string().min(2).transform((value) => value.toUpperCase()), age: z.coerce.number().int().positive().optional(), kind: z.discriminatedUnion("t", [z.object({ t: z.literal("a"), x: z.string().email() }), z.object({ t: z.literal("b") })]) });
  const wrong = schema.safeParse({ name: "x", age: "1.5", kind: { t: "a", x: "no" } });
  return [schema.parse({ name: "ada", age: "5", kind: { t: "b" } }), wrong.error.issues.map(({ path, code, message }) => [path, code, message])];
};
cases.uuid = () => [v5("hello", v5.URL), validate(v4()), version(v7()), v7() < v7()];
cases.nanoid = () => [nanoid().length, /^[\w-]{21}$/.test(nanoid()), /^[ab]{8}$/.test(customAlphabet("ab", 8)())];
cases.marked = () => marked.parse("# Title\n\nSome *text* with `code` & [a link](https://h \"t\").\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n```js\nlet x = 1 < 2;\n```\n\n1. one\n   - two\n");
cases.handlebars = () => {
  Handlebars.registerHelper("loud", (value) => value.toUpperCase());
  return Handlebars.compile("{{#each items}}{{@index}}: {{loud name}} {{#if done}}done{{else}}<{{../state}}>{{/if}}\n{{/each}}{{{raw}}}{{raw}}")({ items: [{ name: "a", done: true }, { name: "b" }], state: "open", raw: "<i>" });
};
cases["itty-router"] = async () => {
  const { preflight, corsify } = ittyCors({ origin: "*" });
  const router = AutoRouter({ before: [preflight], finally: [corsify] });
  router.get("/hello/:name", ({ name, query }) => ({ name, q: query.q })).get("/wrong", () => error(418, "teapot")).post("/echo", async (request) => json(await request.json(), { status: 201 }));
  const answers = [];
  for (const request of [new Request("http://h/hello/ada?q=1"), new Request("http://h/wrong"), new Request("http://h/none"), new Request("http://h/echo", { method: "POST", body: '{"a":1}' })]) {
    const response = await router.fetch(request);
    answers.push([response.status, await response.json(), response.headers.get("access-control-allow-origin")]);
  }
  return answers;
};
cases["@supabase/postgrest-js"] = async () => {
  const requests = [];
  const client = new PostgrestClient("http://h/rest", {
    headers: { apikey: "k" },
    fetch: async (url, { method, headers, body }) => {
      requests.push([method, String(url), new Headers(headers).get("prefer"), body]);
      return new Response('[{"id":1}]', { headers: { "content-range": "0-0/1", "content-type": "application/json" } });
    },
  });
  const { data, error: failure, count } = await client.from("todos").select("id, user(name)", { count: "exact" }).eq("done", false).in("kind", ["a", "b,c"]).order("id", { ascending: false }).range(0, 9);
  await client.from("todos").insert({ title: "x" }).select();
  await client.rpc("fn", { a: 1 });
  return [requests, data, failure, count];
};
cases.aws4fetch = async () => {
  const aws = new AwsClient({ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", service: "s3", region: "us-east-1" });
  const signed = await aws.sign("https://bucket.s3.amazonaws.com/a%20b?list-type=2", { method: "PUT", body: "text", headers: { "x-amz-meta": "1" }, aws: { datetime: "20240101T000000Z" } });
  const query = await aws.sign("https://bucket.s3.amazonaws.com/key", { aws: { signQuery: true, datetime: "20240101T000000Z" } });
  return [signed.headers.get("authorization"), query.url];
};

/** A D1 database that notes what it is asked: what becomes of the statements in PostgreSQL, other tests tell. */
function notingDatabase(statements) {
  const prepare = (text, values = []) => ({
    bind: (...more) => prepare(text, more),
    all: async () => (statements.push([text, values]), { success: true, results: [{ id: 1, title: "x" }], meta: { changes: 1, last_row_id: 1 } }),
    raw: async () => (statements.push([text, values]), [[1, "x"]]),
    run: async () => (statements.push([text, values]), { success: true, results: [], meta: { changes: 1 } }),
  });
  return { prepare, batch: async (list) => Promise.all(list.map((one) => one.all())) };
}
cases["drizzle-orm"] = async () => {
  const statements = [];
  const todos = sqliteTable("todos", { id: integer("id").primaryKey(), title: text("title").notNull() });
  const db = drizzle(notingDatabase(statements));
  const rows = await db.select().from(todos).where(and(eq(todos.title, "x"), sql`${todos.id} > ${0}`)).limit(5);
  await db.insert(todos).values([{ title: "a" }, { title: "b" }]).returning();
  await db.update(todos).set({ title: "c" }).where(eq(todos.id, 1));
  await db.delete(todos).where(eq(todos.id, 2));
  return [rows, statements];
};
cases.kysely = async () => {
  const statements = [];
  const db = new Kysely({ dialect: new D1Dialect({ database: notingDatabase(statements) }) });
  const rows = await db.selectFrom("todos").innerJoin("users", "users.id", "todos.owner").select(["todos.id", "title"]).where("title", "like", "x%").orderBy("todos.id").execute();
  await db.insertInto("todos").values({ title: "a" }).returning("id").executeTakeFirst();
  await db.updateTable("todos").set({ title: "b" }).where("id", "=", 1).execute();
  return [rows, statements];
};

export const results = () => collect(cases);
