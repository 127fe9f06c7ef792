import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./host.mjs";

const bytesOf = (text) => new TextEncoder().encode(text);

/** Runs a body with `AI` as env.AI. Operations answer as given, or not at all; all of them are kept. */
async function withModels(body, answers = {}) {
  const asked = [];
  const operations = Object.fromEntries(
    Object.entries(answers).map(([name, answer]) => [
      "ai." + name,
      (input, payload) => {
        asked.push({ name, input, text: payload && new TextDecoder().decode(payload) });
        return typeof answer === "function" ? answer(input) : answer;
      },
    ]),
  );
  const result = await run(`export async function handler() { const AI = env.AI; ${body} }`, {}, { operations });
  return { asked, result };
}

/** Answers reads of a stream with these chunks, one after another. */
const chunks = (...texts) => () => (texts.length === 0 ? undefined : { text: "", bytes: bytesOf(texts.shift()) });

test("A model is asked with its inputs and options, and answers with the value", async () => {
  const { asked, result } = await withModels(
    `return [await AI.run("m", { prompt: "p" }, { gateway: { cacheTtl: 60 }, returnRawResponse: false }), AI === ai];`,
    { run: { json: { response: "hi", usage: null } } },
  );
  assert.deepEqual(asked, [{ name: "run", input: { model: "m", inputs: { prompt: "p" }, options: { gateway: { cacheTtl: 60 } } }, text: undefined }]);
  assert.deepEqual(result.json, [{ response: "hi", usage: null }, true]);
});

test("Vectors arrive as bytes and become arrays of numbers", async () => {
  const numbers = new Uint8Array(new Float32Array([0.5, -1, 2, 4]).buffer);
  const { result } = await withModels(`return await AI.run("m", { text: ["a", "b"] });`, {
    run: { text: JSON.stringify({ shape: [2, 2], usage: null }), bytes: numbers },
  });
  assert.deepEqual(result.json, { shape: [2, 2], data: [[0.5, -1], [2, 4]], usage: null });
});

test("A streamed answer is a stream of bytes, and cancelling it tells the host", async () => {
  const answers = { run: { json: { stream: 7 } }, read: chunks("data: 1\n\n", "data: [DONE]\n\n") };
  const whole = await withModels(
    `const stream = await AI.run("m", { prompt: "p", stream: true });
    return [stream instanceof ReadableStream, await new Response(stream).text()];`,
    answers,
  );
  assert.deepEqual(whole.result.json, [true, "data: 1\n\ndata: [DONE]\n\n"]);
  const { result } = await withModels(
    `const reader = (await AI.run("m", { prompt: "p", stream: true })).getReader(); await reader.read(); await reader.cancel(); return 1;`,
    { run: { json: { stream: 8 } }, read: chunks("data: 1\n\n", "data: 2\n\n"), cancel: { text: "" } },
  );
  const { name, text } = result.calls.starts.at(-1);
  assert.deepEqual([name, text], ["ai.cancel", '{"stream":8}']);
});

test("returnRawResponse gives a Response in each case", async () => {
  const raw = async (inputs, answers) =>
    (await withModels(
      `const r = await AI.run("m", ${inputs}, { returnRawResponse: true });
      return [r instanceof Response, r.headers.get("content-type"), await r.text()];`,
      answers,
    )).result.json;
  assert.deepEqual(await raw(`{ prompt: "p" }`, { run: { json: { response: "hi" } } }), [true, "application/json", '{"response":"hi"}']);
  assert.deepEqual(
    await raw(`{ prompt: "p", stream: true }`, { run: { json: { stream: 1 } }, read: chunks("data: x\n\n") }),
    [true, "text/event-stream", "data: x\n\n"],
  );
  const numbers = new Uint8Array(new Float32Array([1]).buffer);
  assert.deepEqual(
    await raw(`{ text: "a" }`, { run: { text: '{"shape":[1,1]}', bytes: numbers } }),
    [true, "application/json", '{"shape":[1,1],"data":[[1]]}'],
  );
});

test("An aborted signal ends the call, and its stream, with the signal's reason", async () => {
  const waiting = await withModels(
    `const c = new AbortController();
    const call = AI.run("m", { prompt: "p" }, { signal: c.signal }).catch((e) => e.message);
    setTimeout(() => c.abort(new Error("enough")), 1);
    return [await call, await AI.run("m", { prompt: "p" }, { signal: c.signal }).catch((e) => e.message)];`,
  );
  assert.deepEqual(waiting.result.json, ["enough", "enough"]);
  assert.equal(waiting.result.calls.starts.filter(({ name }) => name === "ai.run").length, 1);
  const streaming = await withModels(
    `const c = new AbortController();
    const reader = (await AI.run("m", { prompt: "p", stream: true }, { signal: c.signal })).getReader();
    await reader.read(); c.abort(new Error("enough"));
    return await reader.read().catch((e) => e.message);`,
    { run: { json: { stream: 1 } }, read: chunks("a", "b"), cancel: { text: "" } },
  );
  assert.equal(streaming.result.text, "enough");
});

test("Models are filtered and paged", async () => {
  const models = ["a/1", "b/2", "a/3"].map((name) => ({ id: name, name, provider: "p", isPattern: false }));
  const { result } = await withModels(
    `const ids = async (p) => (await AI.models(p)).map((m) => m.id);
    return [await ids(), await ids({ search: "A/" }), await ids({ per_page: 2, page: 2 }), await AI.models({ task: "x" }).catch((e) => e.message)];`,
    { models: { json: { models } } },
  );
  assert.deepEqual(result.json.slice(0, 3), [["a/1", "b/2", "a/3"], ["a/1", "a/3"], ["a/3"]]);
  assert.match(result.json[3], /parameter task/);
});

test("What can't be given names its member", async () => {
  for (const member of ["toMarkdown", "gateway", "autorag", "aiSearch"]) {
    const { result } = await withModels(`try { AI.${member}("x") } catch (e) { return [e.name, e.message] }`);
    assert.equal(result.json[0], "TypeError");
    assert.ok(result.json[1].startsWith(`env.AI.${member} is not supported`), result.json[1]);
  }
  for (const call of ["AI.run()", "AI.run('m')", "AI.run('m', [])", "AI.run(1, {})"]) {
    const { result } = await withModels(`return await ${call}.catch((e) => e.name);`);
    assert.equal(result.text, "TypeError");
  }
});

test("env.AI.fetch sends the path below v1 and the body, keeps credentials, and answers as a server", async () => {
  const { asked, result } = await withModels(
    `const { fetch } = AI;
    const r = await fetch("https://api.openai.com/v1/chat/completions", {
      method: "POST", headers: { authorization: "Bearer key", "cf-aig-cache-ttl": "60" }, body: '{"model":"m"}' });
    const s = await fetch("http://localhost:8787/functions/v1/ai/models/a%2Fv1");
    return [r.status, r.ok, r.headers.get("retry-after"), await r.json(), await s.text()];`,
    {
      fetch: (input) =>
        input.method === "POST"
          ? { text: JSON.stringify({ status: 429, headers: [["retry-after", "3"]] }), bytes: bytesOf('{"error":{}}') }
          : { text: JSON.stringify({ status: 200, headers: [], stream: 4 }) },
      read: chunks("str", "eam"),
    },
  );
  assert.deepEqual(asked[0], {
    name: "fetch", input: { method: "POST", path: "/chat/completions", headers: { "cf-aig-cache-ttl": "60" } }, text: '{"model":"m"}',
  });
  assert.deepEqual(asked[1].input, { method: "GET", path: "/models/a/v1", headers: {} });
  assert.deepEqual(result.json, [429, false, "3", { error: {} }, "stream"]);
});

test("While the module loads there are no models", async () => {
  const { text } = await run(
    `let message; await ai.run("m", { prompt: "p" }).catch((e) => { message = e.message });
    export const handler = () => message;`,
  );
  assert.equal(text, "env.AI is not available while the module loads; use it inside the handler.");
});
