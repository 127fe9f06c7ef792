import assert from "node:assert/strict";
import { test } from "node:test";
import { deploy, invoke, post, run } from "./host.mjs";

const worker = (body) => `export default { async fetch(request, env, ctx) { ${body} } }`;

test("A Worker answers with a Response built from its request and env", async () => {
  const answer = await run(
    worker(`const url = new URL(request.url);
      return Response.json({ path: url.pathname, q: url.searchParams.get("q"), method: request.method, a: request.headers.get("X-A"), key: env.KEY, body: await request.json() }, { status: 201, headers: { "x-b": "2" } })`),
    { request: { method: "POST", url: "http://h/a/b?q=1", headers: [["x-a", "1"]] }, env: { KEY: "v" } },
    { bytes: Buffer.from('{"k":1}') },
  );
  assert.equal(answer.status, 201);
  assert.deepEqual(answer.headers, [["x-b", "2"], ["content-type", "application/json"]]);
  assert.deepEqual(answer.json, { path: "/a/b", q: "1", method: "POST", a: "1", key: "v", body: { k: 1 } });
  assert.deepEqual(answer.calls.order, ["respond", "done"]);
});

test("Bodies are binary-safe in both directions", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (const body of ["await request.arrayBuffer()", "await request.bytes()", "request.body", "await request.blob()"]) {
    const answer = await run(worker(`return new Response(${body})`), ...post(bytes));
    assert.deepEqual(answer.body, bytes, body);
  }
});

test("waitUntil runs on after the response, and DONE waits for it", async () => {
  const answer = await run(worker(`
    ctx.waitUntil(new Promise((resolve) => setTimeout(() => { console.log("later"); ctx.waitUntil(Promise.resolve()); resolve() }, 50)));
    return new Response("now")`));
  assert.deepEqual(answer.calls.order, ["start", "respond", "log", "done"]);
  assert.equal(answer.done, "");
});

test("The first waitUntil that fails is in DONE", async () => {
  const answer = await run(worker("ctx.waitUntil(Promise.reject(new TypeError('late'))); return new Response('ok')"));
  assert.equal(answer.text, "ok");
  assert.equal(JSON.parse(answer.done).message, "late");
});

test("Timers that nobody waits for don't hold the invocation", async () => {
  const answer = await run(worker("setTimeout(() => console.log('never'), 1000); return new Response('ok')"));
  assert.deepEqual(answer.calls.order, ["start", "respond", "done"]);
});

test("A subclass can't send a status or headers that are none", async () => {
  const answer = await run(
    worker("class Odd extends Response { get status() { return '0,' } get headers() { return [[1, {}]] } } return new Odd('x', { headers: { a: '1' } })"),
  );
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.headers, [["a", "1"], ["content-type", "text/plain;charset=UTF-8"]]);
});

test("Anything but a Response is refused", async () => {
  const answer = await run(worker("return { status: 200 }"));
  assert.match(answer.failure.message, /must return a Response/);
});

test("A trigger without a handler is refused by name", async () => {
  const answer = await run(worker("return new Response()"), { kind: "event", trigger: "database", event: {} });
  assert.match(answer.failure.message, /no handler for the trigger "database"/);
});

test("A `handler` export beside the Worker takes database events", async () => {
  const source = `${worker("return new Response()")}; export const handler = (event) => event.table`;
  const answer = await run(source, { kind: "event", trigger: "database", event: { table: "users" } });
  assert.equal(answer.text, '"users"');
});

test("scheduled gets its cron and time, and may decline retries", async () => {
  const deployed = await deploy(`export default { async scheduled(controller, env, ctx) {
    console.log(controller.cron, controller.scheduledTime);
    controller.noRetry();
    if (env.FAIL) throw new Error("failed");
  } }`);
  const event = { trigger: "schedule", cron: "0 3 * * *", scheduled_time: "2026-02-06T03:00:00Z" };
  const message = { kind: "event", trigger: "schedule", event };
  const answer = await invoke(deployed, message);
  assert.equal(answer.calls.logs[0].text, "0 3 * * * 1770346800000");
  assert.deepEqual(answer.json, { noRetry: true });
  const failed = await invoke(deployed, { ...message, env: { FAIL: "1" } });
  assert.equal(failed.failure.message, "failed");
  assert.equal(failed.failure.noRetry, true);
});

test("A schedule whose waitUntil fails has failed", async () => {
  const answer = await run("export default { scheduled(c, env, ctx) { ctx.waitUntil(Promise.reject(new Error('late'))) } }", {
    kind: "event", trigger: "schedule", event: {},
  });
  assert.equal(answer.failure.message, "late");
});

const batchEvent = {
  queue: "jobs",
  messages: ["a", "b", "c"].map((id) => ({ id, timestamp: "2026-02-06T03:00:00Z", body: { id }, attempts: 1 })),
};

test("In a queue the first call wins, and a message's own beats the batch's", async () => {
  const deployed = await deploy(`export default { async queue(batch, env) {
    const [a, b, c] = batch.messages;
    a.ack(); a.retry();
    b.retry({ delaySeconds: 30 });
    if (env.BATCH) { batch.retryAll({ delaySeconds: 5 }); batch.ackAll(); }
    if (env.FAIL) throw new Error("failed");
  } }`);
  const outcome = async (env) => {
    const answer = await invoke(deployed, { kind: "event", trigger: "queue", event: batchEvent, env });
    return answer.failure?.messages ?? answer.json;
  };
  const b = { id: "b", delaySeconds: 30 };
  assert.deepEqual(await outcome({}), { acks: ["a", "c"], retries: [b] });
  assert.deepEqual(await outcome({ BATCH: "1" }), { acks: ["a"], retries: [b, { id: "c", delaySeconds: 5 }] });
  assert.deepEqual(await outcome({ FAIL: "1" }), { acks: ["a"], retries: [b, { id: "c" }] });
});

test("Request.signal, ctx.props and passThroughOnException exist", async () => {
  const answer = await run(worker("ctx.passThroughOnException(); return Response.json([request.signal.aborted, ctx.props])"));
  assert.deepEqual(answer.json, [false, {}]);
});
