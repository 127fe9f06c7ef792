import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./host.mjs";

const column = (name, type = "text") => ({ name, type });
const answerOf = (fields, rows, more = {}) => ({ command: "SELECT", rowCount: rows.length, fields, rows, duration: 1.5, ...more });

/** Runs a handler body with a database whose answers are given; records what it was asked. */
async function withDatabase(body, answers = {}) {
  const asked = [];
  const operations = Object.fromEntries(
    ["db.query", "db.batch", "db.exec", "db.begin", "db.commit", "db.rollback"].map((name) => [
      name,
      async (input) => {
        asked.push([name, input]);
        const answer = answers[name];
        return typeof answer === "function" ? answer(input) : (answer ?? answerOf([], []));
      },
    ]),
  );
  const answer = await run(`export const handler = async (event) => { const DB = env.DB; ${body} }`, {}, { operations });
  return { failure: answer.failure, json: answer.text === undefined ? undefined : JSON.parse(answer.text), asked };
}

test("db.query gives rows as objects, with the row count beside them", async () => {
  const { json, asked } = await withDatabase(
    "const users = await db.query('SELECT * FROM users WHERE id = $1', ['u1']); return { users, first: users[0], rowCount: users.rowCount, command: users.command }",
    { "db.query": answerOf([column("id"), column("age", "int4")], [["u1", 30]]) },
  );
  assert.deepEqual(json, { users: [{ id: "u1", age: 30 }], first: { id: "u1", age: 30 }, rowCount: 1, command: "SELECT" });
  assert.deepEqual(asked, [["db.query", { sql: "SELECT * FROM users WHERE id = $1", params: ["u1"] }]]);
});

test("Each parameter travels in PostgreSQL's text form", async () => {
  const { asked } = await withDatabase(`
    await db.query("", [
      null, undefined, "text", 1.5, -0, 12345678901234567890n, true, new Date(0), new Uint8Array([0, 255]), new Uint8Array([1, 2]).buffer,
      [1, null, 2], ["a", 'b"c', "d\\\\e", "NULL", ""], [[1, 2], [3, 4]], [], [new Date(0)], [new Uint8Array([1])], [{ a: 1 }], { a: [1] },
    ]);
    return null`);
  assert.deepEqual(asked[0][1].params, [
    null, null, "text", "1.5", "0", "12345678901234567890", "true", "1970-01-01T00:00:00.000Z", "\\x00ff", "\\x0102",
    "{1,NULL,2}", '{"a","b\\"c","d\\\\e","NULL",""}', "{{1,2},{3,4}}", "{}", '{"1970-01-01T00:00:00.000Z"}', '{"\\\\x01"}',
    '{"{\\"a\\":1}"}', '{"a":[1]}',
  ]);
});

for (const [what, value, message] of [
  ["A function", "() => 1", /Parameter \$2 is a function/],
  ["A symbol", "Symbol()", /Parameter \$2 is a symbol/],
  ["A cycle", "(() => { const a = {}; a.a = a; return a })()", /Parameter \$2 can't be written as JSON: circular/],
  ["An array in itself", "(() => { const a = []; a.push(a); return a })()", /Parameter \$2 is nested deeper/],
  ["An invalid date", "new Date(NaN)", /Parameter \$2 is an invalid Date/],
]) {
  test(`${what} as a parameter rejects with its position`, async () => {
    const { json, asked } = await withDatabase(`return db.query("", [1, ${value}]).catch(({ name, message }) => ({ name, message }))`);
    assert.equal(json.name, "TypeError");
    assert.match(json.message, message);
    assert.deepEqual(asked, []);
  });
}

test("Values that JSON can't hold come back as their own types, also inside arrays", async () => {
  const { json } = await withDatabase(
    `const [row] = await db.query("");
     return { small: row.small, big: String(row.big), type: typeof row.big, bytes: [...row.bytes], isBytes: row.bytes instanceof Uint8Array,
       bigs: row.bigs.map(String), grid: row.grid.map((line) => line.map((b) => b && b.length)), none: row.none, doc: row.doc }`,
    {
      "db.query": answerOf(
        [column("small", "int8"), column("big", "int8"), column("bytes", "bytea"), column("bigs", "int8[]"), column("grid", "bytea[]"), column("none", "int8"), column("doc", "jsonb")],
        [[42, "9007199254740993", "AP8=", [1, "9007199254740993"], [["AA==", null], ["", "AAA="]], null, { a: 1 }]],
      ),
    },
  );
  assert.deepEqual(json, {
    small: 42, big: "9007199254740993", type: "bigint", bytes: [0, 255], isBytes: true,
    bigs: ["1", "9007199254740993"], grid: [[1, null], [0, 2]], none: null, doc: { a: 1 },
  });
});

test("A database error has PostgreSQL's fields and points at the function's own line", async () => {
  const { json } = await withDatabase(
    `try { await db.query("x") } catch (e) { return { isError: e instanceof Error, name: e.name, message: e.message, code: e.code, detail: e.detail, position: e.position, stack: e.stack } }`,
    { "db.query": () => Promise.reject({ name: "DatabaseError", message: "duplicate key", code: "23505", detail: "Key exists.", position: 8, severity: "ERROR" }) },
  );
  assert.equal(json.isError, true);
  assert.equal(json.name, "DatabaseError");
  assert.equal(json.message, "duplicate key");
  assert.equal(json.code, "23505");
  assert.equal(json.detail, "Key exists.");
  assert.equal(json.position, 8);
  assert.match(json.stack, /^\s*at handler \(function\.js/);
});

test("db.batch sends its statements as one operation", async () => {
  const { json, asked } = await withDatabase("return db.batch(['select 1', ['select $1', [2]], { sql: 'select $1', params: [3] }])", {
    "db.batch": { results: [answerOf([column("a")], [["1"]]), answerOf([], []), answerOf([], [])] },
  });
  assert.deepEqual(json, [[{ a: "1" }], [], []]);
  assert.deepEqual(asked[0][1], {
    statements: [{ sql: "select 1", params: [] }, { sql: "select $1", params: ["2"] }, { sql: "select $1", params: ["3"] }],
  });
});

test("A transaction commits what its function did and gives its result", async () => {
  const { json, asked } = await withDatabase("return db.transaction(async (tx) => { await tx.query('a'); return { done: true } })", {
    "db.begin": { tx: 7 },
    "db.commit": undefined,
  });
  assert.deepEqual(asked, [["db.begin", {}], ["db.query", { sql: "a", params: [], tx: 7 }], ["db.commit", { tx: 7 }]]);
  assert.deepEqual(json, { done: true });
});

test("A batch inside a transaction stays inside it", async () => {
  const { json, asked } = await withDatabase(
    `await db.transaction((tx) => tx.batch(["a", ["b", [1]]]));
     await DB.transaction((tx) => tx.batch([tx.prepare("c").bind(2)]));
     return { exec: await db.transaction((tx) => typeof tx.exec) }`,
    { "db.begin": { tx: 7 } },
  );
  assert.deepEqual(json, { exec: "undefined" });
  assert.deepEqual(asked.filter(([name]) => name === "db.query"), [
    ["db.query", { sql: "a", params: [], tx: 7 }], ["db.query", { sql: "b", params: ["1"], tx: 7 }], ["db.query", { sql: "c", params: ["2"], tx: 7 }],
  ]);
  assert.ok(asked.every(([name]) => name !== "db.batch"));
});

test("A transaction whose function throws is rolled back, and the error passes", async () => {
  const { failure, asked } = await withDatabase("await db.transaction(async () => { throw new Error('no') })", { "db.begin": { tx: 7 } });
  assert.equal(failure.message, "no");
  assert.deepEqual(asked.map(([name]) => name), ["db.begin", "db.rollback"]);
});

test("A transaction that has ended takes no more statements", async () => {
  const { failure, asked } = await withDatabase("let kept; await db.transaction(async (tx) => { kept = tx }); await kept.query('late')", {
    "db.begin": { tx: 7 },
  });
  assert.match(failure.message, /transaction has ended/);
  assert.deepEqual(asked.map(([name]) => name), ["db.begin", "db.commit"]);
});

test("A D1 statement gives rows with D1's metadata", async () => {
  const { json, asked } = await withDatabase("return DB.prepare('SELECT * FROM t WHERE a = ? AND b = ?2').bind(1, 'x').all()", {
    "db.query": answerOf([column("a", "int4")], [[1], [2]]),
  });
  assert.deepEqual(json, {
    success: true,
    results: [{ a: 1 }, { a: 2 }],
    meta: {
      duration: 1.5, rows_read: 2, rows_written: 0, last_row_id: null, changed_db: false, changes: 0, size_after: null, served_by: "postgresql",
    },
  });
  assert.deepEqual(asked[0][1], { sql: "SELECT * FROM t WHERE a = ? AND b = ?2", params: ["1", "x"] });
});

test("D1's run reports what changed", async () => {
  const { json } = await withDatabase("return (await DB.prepare('DELETE FROM t').run()).meta", {
    "db.query": answerOf([], [], { command: "DELETE", rowCount: 3 }),
  });
  assert.equal(json.changes, 3);
  assert.equal(json.changed_db, true);
});

test("D1's first gives a row, a column's value, or null, and knows its columns", async () => {
  const rows = answerOf([column("a", "int4")], [[1]]);
  const { json } = await withDatabase(
    `const s = DB.prepare("x"); return [await s.first(), await s.first("a"), await s.first("b").catch((e) => e.message)]`,
    { "db.query": rows },
  );
  assert.deepEqual(json, [{ a: 1 }, 1, "D1_ERROR: D1_COLUMN_NOTFOUND: Column not found (b)"]);
  const none = await withDatabase(`return [await DB.prepare("x").first(), await DB.prepare("x").first("a")]`);
  assert.deepEqual(none.json, [null, null]);
});

test("D1's raw gives arrays, with the column names if wanted", async () => {
  const { json } = await withDatabase(`const s = DB.prepare("x"); return [await s.raw(), await s.raw({ columnNames: true })]`, {
    "db.query": () => answerOf([column("a", "int4"), column("a", "int4")], [[1, 2]]),
  });
  assert.deepEqual(json, [[[1, 2]], [["a", "a"], [1, 2]]]);
});

test("D1's batch takes prepared statements only", async () => {
  const { json, asked } = await withDatabase(
    `const results = await DB.batch([DB.prepare("a").bind(1), DB.prepare("b")]);
     const refused = await DB.batch(["text"]).catch((e) => e.message);
     return [results.length, results[0].success, refused]`,
    { "db.batch": { results: [answerOf([], []), answerOf([], [])] } },
  );
  assert.deepEqual(json.slice(0, 2), [2, true]);
  assert.match(json[2], /prepared statements/);
  assert.deepEqual(asked.map(([, input]) => input), [{ statements: [{ sql: "a", params: ["1"] }, { sql: "b", params: [] }] }]);
});

test("D1's exec, session and transaction reach the same database", async () => {
  const { json, asked } = await withDatabase(
    `const session = DB.withSession("first-primary");
     await session.prepare("s").run();
     await DB.transaction(async (tx) => { await tx.prepare("t").bind(1).run() });
     return [await DB.exec("x; y"), session.getBookmark(), DB.withSession("mark").getBookmark()]`,
    { "db.exec": { count: 2, duration: 1 }, "db.begin": { tx: 3 } },
  );
  assert.deepEqual(json, [{ count: 2, duration: 1 }, null, "mark"]);
  assert.deepEqual(asked, [
    ["db.query", { sql: "s", params: [] }],
    ["db.begin", {}],
    ["db.query", { sql: "t", params: ["1"], tx: 3 }],
    ["db.commit", { tx: 3 }],
    ["db.exec", { sql: "x; y" }],
  ]);
});

test("A D1 error has D1's prefix and PostgreSQL's code", async () => {
  const { json } = await withDatabase(`return DB.prepare("x").all().catch((e) => ({ message: e.message, code: e.code, cause: e.cause.message }))`, {
    "db.query": () => Promise.reject({ name: "DatabaseError", message: "no such table", code: "42P01", severity: "ERROR" }),
  });
  assert.deepEqual(json, { message: "D1_ERROR: no such table", code: "42P01", cause: "no such table" });
});
