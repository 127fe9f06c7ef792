import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./host.mjs";

const handler = (body) => `export async function handler() { ${body} }`;

test("env has the bindings that the function names, beside its variables", async () => {
  const asked = [];
  const operations = {
    "cache.delete": (input) => (asked.push(input.cache), {}),
    "queue.send": (input) => (asked.push(input.queue), { text: JSON.stringify({ backlogCount: 1, backlogBytes: 1 }) }),
  };
  const message = { env: { NAME: "a text", SESSIONS: { cache: "sessions" }, EMAILS: { queue: "emails" }, MAIN: { database: "default" } } };
  const body = `
    await env.SESSIONS.delete("a");
    await env.EMAILS.send(1);
    return [env.NAME, env("SESSIONS") === undefined, env.SESSIONS === env.SESSIONS, env.MAIN === env.DB, "FILES" in env];`;
  const answer = await run(handler(body), message, { operations });
  assert.equal(answer.failure, undefined);
  assert.deepEqual(answer.json, ["a text", true, true, true, false]);
  assert.deepEqual(asked, ["sessions", "emails"]);
});

test("Each kind of binding has its methods", async () => {
  const message = { env: { C: { cache: "c" }, Q: { queue: "q" }, I: { index: "i" }, B: { bucket: "b" }, D: { database: "default" } } };
  const body = `return [env.C.getWithMetadata, env.Q.sendBatch, env.I.queryById, env.B.createMultipartUpload, env.D.prepare].map((f) => typeof f)`;
  assert.deepEqual((await run(handler(body), message)).json, Array(5).fill("function"));
});
