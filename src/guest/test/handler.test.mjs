import assert from "node:assert/strict";
import { test } from "node:test";
import { deploy, invoke, post, run } from "./host.mjs";

const seed = `
  export async function handler(event) {
    const { body } = event;
    return { statusCode: 200, body: JSON.stringify({ result: "success", body }) };
  }`;

test("The seed's handler answers with its body as JSON", async () => {
  const answer = await run(seed, ...post('{"key":"value"}', [["content-type", "application/json"]]));
  assert.equal(answer.status, 200);
  assert.equal(answer.header("content-type"), "application/json");
  assert.deepEqual(answer.json, { result: "success", body: { key: "value" } });
  assert.equal(answer.done, "");
  assert.deepEqual(answer.calls.order, ["respond", "done"]);
});

test("The event has the request's parts", async () => {
  const message = {
    request: { method: "PUT", url: "http://h/p", headers: [["X-A", "1"], ["x-a", "2"], ["Content-Type", "text/plain"]] },
    path: "/p",
    query: { a: "1", b: ["2", "3"] },
  };
  const answer = await run("export const handler = (event) => event", message, { bytes: Buffer.from("plain text") });
  assert.deepEqual(answer.json, {
    trigger: "http",
    method: "PUT",
    path: "/p",
    headers: { "x-a": "1, 2", "content-type": "text/plain" },
    query: { a: "1", b: ["2", "3"] },
    body: "plain text",
    user_id: "5d2f6f9e-0000-4000-8000-000000000001",
    request_id: "5d2f6f9e-0000-4000-8000-000000000002",
  });
});

test("A body is JSON when it parses, text when it does not, null when there is none", async () => {
  const deployed = await deploy("export const handler = ({ body }) => ({ body })");
  const body = async (text) => (await invoke(deployed, ...post(text))).json.body;
  assert.deepEqual(await body(" [1, 2]"), [1, 2]);
  assert.equal(await body("{broken"), "{broken");
  assert.equal(await body("a=1&b=2"), "a=1&b=2");
  assert.equal(await body(""), null);
  assert.equal((await invoke(deployed)).json.body, null);
});

test("A binary body is reachable byte for byte", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const answer = await run("export const handler = (event) => event.bytes()", ...post(bytes));
  assert.equal(answer.header("content-type"), "application/octet-stream");
  assert.deepEqual(answer.body, bytes);
});

test("The content type follows from the result unless it is given", async () => {
  const typeOf = async (expression) => {
    const answer = await run(`export const handler = () => (${expression})`);
    return `${answer.status} ${answer.header("content-type")} ${answer.text}`;
  };
  assert.equal(await typeOf("'hello'"), "200 text/plain;charset=UTF-8 hello");
  assert.equal(await typeOf("({ statusCode: 201, body: { a: 1 } })"), '201 application/json {"a":1}');
  assert.equal(await typeOf("({ statusCode: 200, body: '[1]' })"), "200 application/json [1]");
  assert.equal(await typeOf("({ statusCode: 200, body: '{x}' })"), "200 text/plain;charset=UTF-8 {x}");
  assert.equal(await typeOf("({ statusCode: 200, headers: { 'Content-Type': 'text/html' }, body: '[1]' })"), "200 text/html [1]");
  assert.equal(await typeOf("({ answer: 42 })"), '200 application/json {"answer":42}');
  assert.equal(await typeOf("undefined"), "200 application/json null");
  assert.equal(await typeOf("null"), "200 application/json null");
  assert.equal(await typeOf("new Response('x', { status: 202 })"), "202 text/plain;charset=UTF-8 x");
});

test("A header with several values is sent several times", async () => {
  const answer = await run(
    "export const handler = () => ({ statusCode: 204, headers: { 'set-cookie': ['a=1', 'b=2'], 'x-n': 1 } })",
  );
  assert.deepEqual(answer.headers, [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-n", "1"]]);
  assert.equal(answer.body, undefined);
});

for (const [what, expression, name, message] of [
  ["A cycle", "(() => { const a = {}; a.a = a; return a })()", "TypeError", /JSON: circular/],
  ["A BigInt", "1n", "TypeError", /returned a bigint/],
  ["A BigInt inside", "({ a: 1n })", "TypeError", /JSON: .*BigInt/i],
  ["A function", "() => 1", "TypeError", /returned a function/],
  ["A symbol", "Symbol()", "TypeError", /returned a symbol/],
  ["A status out of range", "({ statusCode: 99 })", "RangeError", /statusCode/],
  ["A header's value with a line break", "({ statusCode: 200, headers: { a: '1\\r\\nb: 2' } })", "TypeError", /header "a"/],
  ["A header's name with a space", "({ statusCode: 200, headers: { 'a b': '1' } })", "TypeError", /"a b" is not a header name/],
  ["Response.error()", "Response.error()", "TypeError", /Response\.error/],
  ["A header that is an object", "({ statusCode: 200, headers: { a: {} } })", "TypeError", /header "a"/],
]) {
  test(`${what} as a result is an error that says so`, async () => {
    const answer = await run(`export const handler = () => (${expression})`);
    assert.equal(answer.failure.name, name);
    assert.match(answer.failure.message, message);
    assert.deepEqual(answer.calls.order, ["fail", "done"]);
  });
}

test("What a handler throws is reported with its name, message, code and own frames only", async () => {
  const answer = await run(`
    function inner() { const e = new RangeError("too far"); e.code = "E_FAR"; throw e; }
    export async function handler() { await null; inner(); }`);
  assert.equal(answer.failure.name, "RangeError");
  assert.equal(answer.failure.message, "too far");
  assert.equal(answer.failure.code, "E_FAR");
  assert.match(answer.failure.stack, /at inner \(function\.js:2:/);
  assert.doesNotMatch(answer.failure.stack, /prelude/);
});

test("Throwing what is no Error is reported too", async () => {
  const thrown = async (expression) => (await run(`export const handler = () => { throw ${expression} }`)).failure.message;
  assert.equal(await thrown("null"), "Thrown: null");
  assert.equal(await thrown("'text'"), "text");
  assert.equal(await thrown("{ a: 1 }"), "Thrown: { a: 1 }");
  assert.match(await thrown("new Proxy(new Error('x'), { get() { throw 1 }, getPrototypeOf() { throw 2 } })"), /can't be described/);
});

test("A handler that never settles leaves nothing pending and no DONE", async () => {
  const answer = await run("export const handler = () => new Promise(() => {})");
  assert.deepEqual(answer.calls.order, []);
});

test("An event's payload is the handler's argument, and its result is JSON", async () => {
  const source = "export const onOrderCreated = (event) => ({ shipped: event.new.id })";
  const answer = await run(source, { kind: "event", trigger: "database", event: { new: { id: 7 } } });
  assert.deepEqual(answer.calls.responses, [{ text: "", body: '{"shipped":7}' }]);
});

test("Each invocation starts from the same memory", async () => {
  const deployed = await deploy(`
    let count = 0;
    export const handler = () => { globalThis.leak = (globalThis.leak ?? 0) + 1; return { count: ++count, leak } }`);
  for (let i = 0; i < 2; i++) assert.deepEqual((await invoke(deployed)).json, { count: 1, leak: 1 });
});

test("env gives what the function was given, by call and by property, and nothing else", async () => {
  const source = `export const handler = () => ({
    call: env("KEY"), property: env.KEY, missing: env("PATH") ?? null, inherited: env("toString") ?? null,
    isIn: "KEY" in env, names: Object.keys(env).filter((name) => !["AI", "DB", "CACHE", "QUEUE", "STORAGE", "VECTORIZE"].includes(name)),
  })`;
  const answer = await run(source, { env: { KEY: "value", OTHER: "2" } });
  assert.deepEqual(answer.json, {
    call: "value", property: "value", missing: null, inherited: null, isIn: true, names: ["KEY", "OTHER"],
  });
});

test("env can't be written to", async () => {
  const answer = await run("export const handler = () => { env.KEY = 'x' }", { env: { KEY: "value" } });
  assert.match(answer.failure.message, /read-only/);
});

for (const [what, use] of [
  ["db", "await db.query('select 1')"],
  ["fetch", "await fetch('http://example.com')"],
  ["env", "env('KEY')"],
  ["a timer", "setTimeout(() => {}, 1)"],
]) {
  test(`Using ${what} while the module loads is an error that says where to use it`, async () => {
    await assert.rejects(deploy(`${use}; export const handler = () => 1`), /not available while the module loads; use it inside the handler/);
  });
}
