import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./host.mjs";

/** Runs a handler body against a network that answers every request alike. */
async function withNetwork(body, answer = {}) {
  const asked = [];
  const operations = {
    fetch: async (input, bytes) => {
      asked.push({ ...input, body: bytes && new TextDecoder().decode(bytes) });
      if (answer instanceof Error || answer.name) throw answer;
      const { bytes: answerBytes, ...head } = answer;
      return { json: { status: 200, statusText: "OK", headers: [], url: input.url, redirected: false, ...head }, bytes: answerBytes };
    },
  };
  const result = await run(`export const handler = async () => { ${body} }`, {}, { operations });
  return { ...result, asked, json: result.text === undefined ? undefined : JSON.parse(result.text), failure: result.failure };
}

test("fetch sends method, headers and body, and gives the response", async () => {
  const { asked, json } = await withNetwork(
    `const response = await http.fetch("https://api.test/x?y=1", { method: "post", headers: { Authorization: "Bearer t" }, body: JSON.stringify({ a: 1 }) });
     return { ok: response.ok, status: response.status, type: response.headers.get("content-type"), url: response.url, body: await response.json() }`,
    { status: 201, headers: [["Content-Type", "application/json"]], bytes: Buffer.from('{"b":2}') },
  );
  assert.deepEqual(asked, [{
    method: "POST", url: "https://api.test/x?y=1", redirect: "follow", body: '{"a":1}',
    headers: [["authorization", "Bearer t"], ["content-type", "text/plain;charset=UTF-8"]],
  }]);
  assert.deepEqual(json, { ok: true, status: 201, type: "application/json", url: "https://api.test/x?y=1", body: { b: 2 } });
});

test("fetch takes a Request, a URL and a form", async () => {
  const { asked } = await withNetwork(`
    await fetch(new Request("http://h/r", { method: "PUT", body: new Uint8Array([65]) }));
    await fetch(new URL("http://h/u"), { redirect: "manual" });
    await fetch("http://h/f", { method: "POST", body: new URLSearchParams({ a: "1 2" }) });
    return null`);
  assert.deepEqual(asked.map(({ method, url, redirect, body }) => [method, url, redirect, body]), [
    ["PUT", "http://h/r", "follow", "A"], ["GET", "http://h/u", "manual", undefined], ["POST", "http://h/f", "follow", "a=1+2"],
  ]);
});

test("A refused request rejects with the host's error, at the caller's line", async () => {
  const { json } = await withNetwork(`try { await fetch("http://10.0.0.1/") } catch (e) { return { type: e instanceof TypeError, message: e.message, code: e.code, stack: e.stack } }`, {
    name: "TypeError", message: "10.0.0.1 is not allowed.", code: "PGFN5403",
  });
  assert.equal(json.type, true);
  assert.equal(json.code, "PGFN5403");
  assert.match(json.stack, /^\s*at handler \(function\.js/);
});

test("Aborting a fetch cancels the host's operation and rejects with the reason", async () => {
  const answer = await run(`export const handler = async () => {
    const controller = new AbortController();
    const pending = fetch("http://slow/", { signal: controller.signal });
    setTimeout(() => controller.abort(), 10);
    try { await pending } catch (e) { return { name: e.name, isDom: e instanceof DOMException } }
  }`);
  assert.deepEqual(answer.json, { name: "AbortError", isDom: true });
  const [fetching] = answer.calls.starts.filter(({ name }) => name === "fetch");
  assert.deepEqual(answer.calls.cancelled, [fetching.id]);
});

test("AbortSignal.timeout and any end a fetch", async () => {
  const answer = await run(`export const handler = async () => {
    const signal = AbortSignal.any([new AbortController().signal, AbortSignal.timeout(10)]);
    return fetch("http://slow/", { signal }).catch((e) => e.name);
  }`);
  assert.equal(answer.text, "TimeoutError");
});

test("An aborted signal sends nothing", async () => {
  const { asked, json } = await withNetwork(`return fetch("http://h/", { signal: AbortSignal.abort("why") }).catch((reason) => ({ reason }))`);
  assert.deepEqual(asked, []);
  assert.deepEqual(json, { reason: "why" });
});

test("A relative URL, credentials and a GET with a body are refused before anything is sent", async () => {
  const { asked, json } = await withNetwork(`
    const message = (promise) => promise.then(() => "sent", (e) => e.name + ": " + e.message);
    return [await message(fetch("/x")), await message(fetch("http://u:p@h/")), await message(fetch("http://h/", { body: "x" })), await message(fetch("http://h/", { method: "TRACE" }))]`);
  assert.deepEqual(asked, []);
  assert.ok(json.every((text) => text.startsWith("TypeError: ")), json.join());
});
