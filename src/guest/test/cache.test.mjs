import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./host.mjs";

/** A host with one cache in memory, as far as these tests need one. */
function host(values = {}) {
  const asked = [];
  const entry = (key) => (key in values ? [Buffer.from(values[key].value).length, values[key].metadata ?? null] : null);
  const bytes = (keys) => Buffer.concat(keys.filter((key) => key in values).map((key) => Buffer.from(values[key].value)));
  const operations = {
    "cache.get": (input) => (asked.push(input), { text: JSON.stringify({ entries: input.keys.map(entry) }), bytes: bytes(input.keys) }),
    "cache.put": (input, payload) => void asked.push({ ...input, payload: payload && Buffer.from(payload).toString() }),
    "cache.delete": (input) => void asked.push(input),
    "cache.list": (input) => (asked.push(input), { text: JSON.stringify({ keys: [{ name: "a" }], list_complete: true }) }),
    "cache.increment": (input) => (asked.push(input), { text: "42" }),
    "cache.swap": (input, payload) => (asked.push({ ...input, payload: Buffer.from(payload).toString() }), { text: "true" }),
    "cache.claim": (input) => {
      asked.push(input);
      return input.key in values
        ? { text: JSON.stringify({ entries: [entry(input.key)] }), bytes: bytes([input.key]) }
        : { text: JSON.stringify({ claim: "c1" }) };
    },
    "cache.release": (input) => void asked.push({ ...input, released: true }),
  };
  return { asked, operations };
}

async function withCache(body, values) {
  const { asked, operations } = host(values);
  const answer = await run(`export async function handler() { const KV = env.CACHE; ${body} }`, {}, { operations });
  return { asked, ...answer, json: answer.failure === undefined ? answer.json : undefined };
}

const messageOf = async (expression, values) =>
  (await withCache(`return [await (async () => ${expression})().then(() => "no error", (e) => e.message)]`, values)).json[0];

test("A value is read as text, JSON, bytes or a stream, and null if there is none", async () => {
  const { json } = await withCache(
    `return [await KV.get("a"), await KV.get("a", "json"), (await KV.get("a", { type: "arrayBuffer" })).byteLength,
      await new Response(await KV.get("a", "stream")).text(), await KV.get("none"), await KV.get("none", "json"), await cache.get("a")]`,
    { a: { value: '{"n":1}' } },
  );
  assert.deepEqual(json, ['{"n":1}', { n: 1 }, 7, '{"n":1}', null, null, '{"n":1}']);
});

test("An array of keys gives a Map", async () => {
  const { json } = await withCache(
    `const m = await KV.get(["a", "x", "b"], "json"); const w = await KV.getWithMetadata(["a", "x"]);
     return [m instanceof Map, [...m], [...w]]`,
    { a: { value: "1", metadata: { m: 1 } }, b: { value: "[2]" } },
  );
  assert.deepEqual(json, [true, [["a", 1], ["x", null], ["b", [2]]], [["a", { value: "1", metadata: { m: 1 } }], ["x", null]]]);
});

test("getWithMetadata has value, metadata and cacheStatus", async () => {
  const { json } = await withCache(`return [await KV.getWithMetadata("a"), await KV.getWithMetadata("x")]`, { a: { value: "v", metadata: [1] } });
  assert.deepEqual(json, [{ value: "v", metadata: [1], cacheStatus: null }, { value: null, metadata: null, cacheStatus: null }]);
});

test("cacheTtl is passed on, for one key and for several", async () => {
  const { asked } = await withCache(
    `await KV.get("a", { cacheTtl: 30 }); await KV.getWithMetadata("a", { type: "json", cacheTtl: 60 }); await KV.get(["a", "b"], { cacheTtl: 90 });
     await KV.get("a", { type: "json" }); return 0`,
    { a: { value: "1" } },
  );
  assert.deepEqual(asked.map(({ keys, cacheTtl }) => [keys, cacheTtl]), [[["a"], 30], [["a"], 60], [["a", "b"], 90], [["a"], undefined]]);
});

test("put takes text, bytes and streams, with expiration and metadata", async () => {
  const { asked } = await withCache(
    `await KV.put("a", "text", { expirationTtl: 5, metadata: { m: 1 } });
     await KV.put("b", new TextEncoder().encode("bytes").subarray(1), { expiration: 4000000000 });
     await KV.put("c", new Response("stream").body); await KV.namespace("other").put("d", new TextEncoder().encode("x").buffer)`,
  );
  assert.deepEqual(asked, [
    { cache: "default", key: "a", ttl: 5, metadata: { m: 1 }, payload: "text" },
    { cache: "default", key: "b", expiration: 4000000000, payload: "ytes" },
    { cache: "default", key: "c", payload: "stream" },
    { cache: "other", key: "d", payload: "x" },
  ]);
});

test("Errors have the messages of Workers KV", async () => {
  const cases = {
    'KV.get("")': "Key name cannot be empty.",
    'KV.put(".", "x")': '"." is not allowed as a key name.',
    'KV.delete("..")': '".." is not allowed as a key name.',
    'KV.get("x".repeat(513))': "KV GET failed: 414 UTF-8 encoded length of 513 exceeds key length limit of 512.",
    'KV.put("ä".repeat(257), "x")': "KV PUT failed: 414 UTF-8 encoded length of 514 exceeds key length limit of 512.",
    'KV.put("a", "x", { expirationTtl: 0 })': "KV PUT failed: 400 Invalid expiration_ttl of 0. Please specify integer greater than 0.",
    'KV.put("a", "x", { expiration: 1 })':
      "KV PUT failed: 400 Invalid expiration of 1. Please specify integer greater than the current number of seconds since the UNIX epoch.",
    'KV.put("a", "x", { metadata: "x".repeat(1023) })': "KV PUT failed: 413 Metadata length of 1025 exceeds limit of 1024.",
    'KV.put("a", 7)': "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.",
    'KV.list({ limit: 1001 })': "KV GET failed: 400 Invalid key_count_limit of 1001. Please specify an integer less than 1000.",
    'KV.get([])': "KV GET_BULK failed: 400 You can request a minimum of 1 key",
    'KV.get(Array.from({ length: 101 }, (_, i) => "k" + i))': "KV GET_BULK failed: 400 You can request a maximum of 100 keys",
    'KV.get(["a"], "invalid")': '"invalid" is not a valid type. Use "json" or "text"',
    'KV.get(["a"], "stream")': '"stream" is not a valid type. Use "json" or "text"',
    'KV.get(["a"], "json")': "KV GET_BULK failed: 400 At least one of the requested keys corresponds to a non-json value",
    'KV.get("a", "blob")': 'Unknown response type "blob". Possible types are "text", "arrayBuffer", "json", and "stream".',
  };
  for (const [expression, message] of Object.entries(cases)) assert.equal(await messageOf(expression, { a: { value: "no json" } }), message);
});

test("list asks for a thousand keys unless told otherwise", async () => {
  const { asked, json } = await withCache(`return [await KV.list(), await KV.list({ prefix: "p", limit: 1000, cursor: "Yw==" })]`);
  assert.deepEqual(asked, [{ cache: "default", limit: 1000, prefix: "" }, { cache: "default", limit: 1000, prefix: "p", cursor: "Yw==" }]);
  assert.deepEqual(json[0], { keys: [{ name: "a" }], list_complete: true, cacheStatus: null });
});

test("increment and compareAndSet ask the host", async () => {
  const { asked, json } = await withCache(
    `return [await KV.increment("n", 2, { expirationTtl: 0.5 }), await KV.compareAndSet("k", "old", "new"), await KV.compareAndSet("k", null, "new")]`,
  );
  assert.deepEqual(json, [42, true, true]);
  assert.deepEqual(asked, [
    { cache: "default", key: "n", by: 2, ttl: 0.5 },
    { cache: "default", key: "k", expected: 3, payload: "oldnew" },
    { cache: "default", key: "k", expected: null, payload: "new" },
  ]);
});

test("getOrSet computes only without a value, stores the result, and gives its claim back after a failure", async () => {
  const { asked, json } = await withCache(
    `let computed = 0; const compute = () => ({ n: ++computed });
     const found = await KV.getOrSet("a", compute, { type: "json" });
     const made = await KV.getOrSet("b", compute, { type: "json", expirationTtl: 9 });
     const failed = await KV.getOrSet("c", () => { throw new Error("no") }).catch((e) => e.message);
     return [found, made, failed, computed]`,
    { a: { value: '"there"' } },
  );
  assert.deepEqual(json, ["there", { n: 1 }, "no", 1]);
  assert.deepEqual(asked.slice(1), [
    { cache: "default", key: "b", lease: 30 },
    { cache: "default", key: "b", claim: "c1", ttl: 9, payload: '{"n":1}' },
    { cache: "default", key: "c", lease: 30 },
    { cache: "default", key: "c", claim: "c1", released: true },
  ]);
});
