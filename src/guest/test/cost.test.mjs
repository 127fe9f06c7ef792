// What a caller's bytes can make a function cost: when the input doubles, the engine's steps may double, with some to spare, but not become
// four times
// as many. Steps are counted by the engine (`calls.steps`), so that the result does not depend on the machine.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { deploy, invoke } from "./host.mjs";

let evaluator;
before(async () => {
  evaluator = await deploy("export const handler = async ({ body }) => void (await (0, eval)(body.code)(body.n))");
});

async function steps(code, n) {
  const bytes = new TextEncoder().encode(JSON.stringify({ code, n }));
  const answer = await invoke(evaluator, {}, { bytes });
  assert.equal(answer.failure, undefined);
  return answer.calls.steps;
}

/** Most growth of the steps when the input doubles, beside what a run costs anyway. */
const mostGrowth = 2.7;

/** Steps, in units of 10,000, below which a growth says nothing. */
const noise = 3;

function linear(name, n, code) {
  test(name, async () => {
    const [base, once, twice] = [await steps(code, 1), await steps(code, n), await steps(code, 2 * n)];
    const growth = (twice - base) / Math.max(once - base, noise);
    assert.ok(growth <= mostGrowth, `${once - base} steps for ${n}, ${twice - base} for twice as much: ${growth.toFixed(1)} times as many`);
  });
}

describe("Steps grow with the input, not with its square", () => {
  linear("a header value with spaces inside", 20_000, "(n) => new Headers().set('a', 'x' + ' '.repeat(n) + 'x')");
  linear("a header value of spaces", 20_000, "(n) => new Headers().set('a', ' '.repeat(n))");
  linear("a header of an answer", 20_000, "(n) => new Response('', { headers: { a: 'x' + '\\t'.repeat(n) + 'x' } })");
  linear("headers of many names, listed", 2_000, "(n) => [...new Headers(Array.from({ length: n }, (_, i) => ['h' + i, 'v']))]");
  linear("a header of many values, read", 2_000, "(n) => { const h = new Headers(); for (let i = 0; i < n; i++) h.append('a', 'v'); return h.get('a').length + [...h].length }");
  linear("parameters added to a URL", 1_000, "(n) => { const u = new URL('http://h/'); for (let i = 0; i < n; i++) u.searchParams.append('a', 'b c'); return u.href }");
  linear("a query of many parameters", 5_000, "(n) => String(new URLSearchParams('a=%20b+c&'.repeat(n)))");
  linear("a query of escapes", 10_000, "(n) => new URLSearchParams('%e2%82%ac%zz%'.repeat(n)).get('x')");
  linear("listeners of an event, called", 2_000, "(n) => { const t = new EventTarget(); for (let i = 0; i < n; i++) t.addEventListener('x', () => {}, { once: i % 2 == 0 }); t.dispatchEvent(new Event('x')) }");
  linear("listeners of an event, removed", 2_000, "(n) => { const t = new EventTarget(), all = Array.from({ length: n }, () => () => {}); all.forEach((f) => t.addEventListener('x', f)); all.forEach((f) => t.removeEventListener('x', f)) }");
  linear("buffers to be transferred", 2_000, "(n) => structuredClone(1, { transfer: Array.from({ length: n }, () => new ArrayBuffer(1)) })");
  linear("a list that is cloned", 5_000, "(n) => structuredClone(Array.from({ length: n }, (_, i) => ({ i, s: 'x' })))");
  linear("columns of a table", 1_000, "(n) => console.table([Object.fromEntries(Array.from({ length: n }, (_, i) => ['k' + i, 1]))])");
  linear("a log line with placeholders", 10_000, "(n) => console.log('%s %d %%'.repeat(n), 1, 2)");
  linear("an object that is logged", 5_000, "(n) => console.log(Object.fromEntries(Array.from({ length: n }, (_, i) => ['k' + i, { i }])))");
  linear("a stack that is logged", 2_000, "(n) => { const e = new Error('x'); e.stack = 'at f (x.js:1:1)\\n'.repeat(n); console.log(e) }");
  linear("the parts of a form", 300, "async (n) => { const b = '--b\\r\\nContent-Disposition: form-data; name=\"a\"\\r\\n\\r\\nv\\r\\n'.repeat(n) + '--b--'; await new Response(b, { headers: { 'content-type': 'multipart/form-data; boundary=b' } }).formData() }");
  linear("a form of line breaks", 20_000, "async (n) => { const b = '--b\\r\\nContent-Disposition: form-data; name=\"a\"\\r\\n\\r\\n' + '\\r\\n--'.repeat(n) + '\\r\\n--b--'; await new Response(b, { headers: { 'content-type': 'multipart/form-data; boundary=b' } }).formData() }");
  linear("the head of a form's part", 20_000, "async (n) => { const b = '--b\\r\\nContent-Disposition: form-data; name=\"a\"' + '; name'.repeat(n) + ' '.repeat(n) + '\\r\\n\\r\\nv\\r\\n--b--'; await new Response(b, { headers: { 'content-type': 'multipart/form-data; boundary=b' } }).formData() }");
  linear("a content type of many parameters", 20_000, "async (n) => { await new Response('', { headers: { 'content-type': 'multipart/form-data' + ';'.repeat(n) + ' boundary=' + 'b'.repeat(n) } }).formData().catch(() => {}) }");
  linear("a body in many chunks", 500, "async (n) => { let i = 0; await new Response(new ReadableStream({ pull(c) { if (i++ < n) c.enqueue(new Uint8Array(10)); else c.close(); } })).bytes() }");
  linear("chunks that wait in a stream", 500, "async (n) => { const s = new ReadableStream({ start(c) { for (let i = 0; i < n; i++) c.enqueue(new Uint8Array(1)); c.close(); } }); for await (const c of s) ; }");
  linear("a text in windows-1252", 50_000, "(n) => new TextDecoder('latin1').decode(new Uint8Array(n).fill(0x80)).length");
  linear("a method that is none", 20_000, "(n) => { try { new Request('http://h', { method: 'a'.repeat(n) + ' ' }) } catch {} }");
});
