import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./host.mjs";

const event = {
  trigger: "webhook",
  event_id: "e1",
  webhook: "orders",
  scheme: "standard",
  id: "msg_1",
  url: "https://h/functions/v1/webhook/orders?a=1",
  headers: { "content-type": "application/json", "x-two": "a, b" },
  body: { n: 1 },
  raw_body: '{"n" : 1}',
  timestamp: "2026-02-06T09:00:00.000000Z",
  attempt: 1,
};
const webhook = (members = {}, message = {}) => ({ kind: "event", trigger: "webhook", event: { ...event, ...members }, ...message });
const worker = (body) => `export default { async fetch(request, env, ctx) { ${body} } }`;

test("A handler gets the event", async () => {
  const answer = await run("export const handler = (event) => event", webhook());
  assert.deepEqual(answer.json, event);
});

test("A module with fetch alone gets the sender's request", async () => {
  const answer = await run(
    worker("console.log(request.method, request.url, request.headers.get('x-two'), await request.text()); return new Response(null)"),
    webhook(),
  );
  assert.match(answer.calls.logs[0].text, /POST https:\/\/h\/functions\/v1\/webhook\/orders\?a=1 a, b \{"n" : 1\}/);
  assert.equal(answer.text, "null");
});

test("The request's body has the bytes that were received", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const answer = await run(
    worker("const b = await request.bytes(); if (b.length !== 256 || b.some((x, i) => x !== i)) throw new Error('other bytes'); return new Response()"),
    webhook({ body: null, raw_body: null, raw_body_base64: Buffer.from(bytes).toString("base64") }),
  );
  assert.equal(answer.failure, undefined);
});

test("A handler export is preferred to fetch", async () => {
  const answer = await run(`${worker("throw new Error('not this')")}; export const handler = (event) => event.id`, webhook());
  assert.equal(answer.json, "msg_1");
});

test("A status of failure from fetch fails the event, and other statuses do not", async () => {
  for (const status of [400, 404, 500]) {
    const answer = await run(worker(`return new Response("x", { status: ${status} })`), webhook());
    assert.match(answer.failure.message, new RegExp(`answered the webhook with status ${status}`));
  }
  for (const status of [200, 204, 302]) {
    const answer = await run(worker(`return new Response(null, { status: ${status} })`), webhook());
    assert.equal(answer.failure, undefined);
  }
});

test("A promise given to waitUntil that fails, fails the event", async () => {
  const answer = await run(worker("ctx.waitUntil(Promise.reject(new Error('later'))); return new Response()"), webhook());
  assert.equal(answer.failure.message, "later");
});

test("Where the sender waits, the handler's result is the response", async () => {
  const answer = await run("export const handler = (event) => ({ statusCode: 201, body: event.id })", webhook({}, { answers: true }));
  assert.equal(answer.status, 201);
  assert.equal(answer.text, "msg_1");
});

test("Where the sender waits, the Response of fetch is the response, whatever its status", async () => {
  const answer = await run(worker("return new Response('no', { status: 422 })"), webhook({}, { answers: true }));
  assert.equal(answer.status, 422);
  assert.equal(answer.text, "no");
});

test("A module without a handler for webhooks is told so", async () => {
  const answer = await run("export default { scheduled() {} }", webhook());
  assert.match(answer.failure.message, /no handler for the trigger "webhook": its default export has no `fetch`/);
});
