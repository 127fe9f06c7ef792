import assert from "node:assert/strict";
import { test } from "node:test";
import { deploy, invoke, run } from "./host.mjs";

/** A host that keeps what was sent. */
async function withQueue(body) {
  const sent = [];
  const figures = { text: JSON.stringify({ backlogCount: 3, backlogBytes: 120, oldestMessageTimestamp: "2026-02-06T03:00:00.000Z" }) };
  const operations = { "queue.send": (input) => (sent.push(input), figures), "queue.metrics": (input) => (sent.push(input), figures) };
  const answer = await run(`export async function handler() { const Q = env.QUEUE; ${body} }`, {}, { operations });
  assert.equal(answer.failure, undefined);
  return { sent, json: answer.json };
}

const messageOf = async (expression) =>
  (await withQueue(`return [await (async () => ${expression})().then(() => "no error", (e) => e.message)]`)).json[0];

test("send takes JSON, text and bytes, a delay, a group and headers, and answers with metrics", async () => {
  const { sent, json } = await withQueue(`
    const answer = await Q.send({ n: 1 });
    await Q.send("plain", { contentType: "text", delaySeconds: 60 });
    await Q.send(new Uint8Array([0, 255]), { contentType: "bytes", group: "a" });
    await queue.send(null, { headers: { trace: "x" } });
    await Q.queue("emails").send([1]);
    return [answer.metadata.metrics.backlogCount, answer.metadata.metrics.oldestMessageTimestamp instanceof Date, queue === Q];`);
  assert.deepEqual(json, [3, true, true]);
  assert.deepEqual(sent, [
    { queue: "default", messages: [[{ n: 1 }, null, 0]] },
    { queue: "default", messages: [["plain", { "content-type": "text" }, 60]] },
    { queue: "default", messages: [["AP8=", { "x-pgmq-group": "a", "content-type": "bytes" }, 0]] },
    { queue: "default", messages: [[null, { trace: "x" }, 0]] },
    { queue: "emails", messages: [[[1], null, 0]] },
  ]);
});

test("sendBatch takes any iterable, and a message's own delay beats the batch's", async () => {
  const { sent } = await withQueue(`
    function* messages() { yield { body: 1 }; yield { body: "t", contentType: "text", delaySeconds: 0 }; }
    await Q.sendBatch(messages(), { delaySeconds: 5 });`);
  assert.deepEqual(sent[0].messages, [[1, null, 5], ["t", { "content-type": "text" }, 0]]);
});

test("metrics has the names of Cloudflare Queues", async () => {
  const { json } = await withQueue("return await Q.metrics();");
  assert.deepEqual(json, { backlogCount: 3, backlogBytes: 120, oldestMessageTimestamp: "2026-02-06T03:00:00.000Z" });
});

test("What can not be sent is refused with the reason", async () => {
  assert.equal(await messageOf("await Q.send('x'.repeat(128001), { contentType: 'text' })"), "Queue send failed: message length of 128001 bytes exceeds limit of 128000");
  assert.equal(await messageOf("await Q.send('x'.repeat(128000), { contentType: 'text' })"), "no error");
  assert.equal(await messageOf("await Q.send(new Uint8Array(128000), { contentType: 'bytes' })"), "no error");
  assert.match(await messageOf("await Q.send(1, { delaySeconds: 86401 })"), /^delaySeconds must be a number of seconds from 0 to 86400/);
  assert.match(await messageOf("await Q.send(1, { delaySeconds: -1 })"), /^delaySeconds/);
  assert.match(await messageOf("await Q.send(1, { contentType: 'v8' })"), /must be "json", "text" or "bytes", not "v8"/);
  assert.match(await messageOf("await Q.send(undefined)"), /a value that JSON can hold/);
  assert.match(await messageOf("await Q.send(1, { contentType: 'text' })"), /must be a string/);
  assert.match(await messageOf("await Q.sendBatch([])"), /0 messages are not in the range of 1 to 100/);
  assert.match(await messageOf("await Q.sendBatch(Array.from({ length: 101 }, () => ({ body: 1 })))"), /101 messages/);
  assert.match(await messageOf("await Q.sendBatch(Array.from({ length: 3 }, () => ({ body: 'x'.repeat(100000) })))"), /exceeds limit of 256000/);
});

test("A consumer gets bodies as they were sent, with headers and the queue's metrics", async () => {
  const deployed = await deploy(`export default { async queue(batch) {
    const [a, b] = batch.messages;
    if (!(a.body instanceof ArrayBuffer) || new Uint8Array(a.body)[1] !== 255) throw new Error("not bytes");
    if (b.body !== "***" || b.headers["content-type"] !== "bytes") throw new Error("not as it is");
    if (batch.metadata.metrics.backlogCount !== 7) throw new Error("no metrics");
  } }`);
  const message = (body) => ({ id: "1", timestamp: "2026-02-06T03:00:00Z", attempts: 1, body, headers: { "content-type": "bytes" } });
  const event = { queue: "q", messages: [message("AP8="), message("***")], metrics: { backlogCount: 7, backlogBytes: 1 } };
  const answer = await invoke(deployed, { kind: "event", trigger: "queue", event });
  assert.deepEqual(answer.json, { acks: ["1", "1"], retries: [] });
});
