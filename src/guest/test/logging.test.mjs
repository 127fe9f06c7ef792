import assert from "node:assert/strict";
import { test } from "node:test";
import { deploy, run } from "./host.mjs";

async function linesOf(body, options) {
  const answer = await run(`export const handler = async () => { ${body}; return null }`, {}, options);
  assert.equal(answer.failure, undefined);
  return answer.calls.logs.map(({ level, text }) => `${level} ${text}`);
}

test("console and log write lines of their level", async () => {
  assert.deepEqual(
    await linesOf("log.debug('a'); log.info('b'); log.warn('c'); log.error('d'); console.debug('e'); console.log('f'); console.info('g'); console.warn('h'); console.error('i')"),
    ["debug a", "info b", "warn c", "error d", "debug e", "info f", "info g", "warn h", "error i"],
  );
});

test("Format directives take arguments, and what is left follows", async () => {
  assert.deepEqual(
    await linesOf("console.log('%s is %d%% of %i and %o %j', 'x', 4.5, 7.9, { a: 1 }, [1], 'rest', { b: 2 }); console.log('%s'); console.log(1, 'a', null)"),
    ["info x is 4.5% of 7 and { a: 1 } [1] rest { b: 2 }", "info %s", "info 1 a null"],
  );
});

test("Values read well, with limits and cycles", async () => {
  const [line] = await linesOf(`
    const cyclic = { name: "c" }; cyclic.self = cyclic;
    console.log({ n: 1, s: 'it', u: undefined, f() {}, m: new Map([["k", new Set([1])]]), d: new Date(0), r: /x/g, b: new Uint8Array(3), big: 1n },
      cyclic, { a: { b: { c: { d: { e: { f: 1 } } } } } }, Array.from({ length: 200 }, () => 0).length, new (class Point { x = 1 })(), Object.create(null), [, 1], Symbol("s"))`);
  for (const part of [
    "s: 'it'", "u: undefined", "f: [Function: f]", "m: Map(1) { 'k' => Set(1) { 1 } }", "d: 1970-01-01T00:00:00.000Z", "r: /x/g",
    "b: Uint8Array(3) [ 0, 0, 0 ]", "big: 1n", "self: [Circular]", "{ e: [Object] }", "Point { x: 1 }", "Symbol(s)",
  ]) {
    assert.ok(line.includes(part), `${part} in ${line}`);
  }
});

test("An error is logged with its stack and its cause", async () => {
  const [line] = await linesOf("function f() { return new TypeError('bad', { cause: new Error('why') }) } console.error('failed:', f())");
  assert.match(line, /^error failed: TypeError: bad\n\s+at f \(function\.js/);
  assert.match(line, /cause: Error: why/);
});

test("Hostile values don't break a log line", async () => {
  const lines = await linesOf("console.log(new Proxy({}, { ownKeys() { throw new Error('no') } })); console.log({ get a() { throw 1 } }); console.log('after')");
  assert.deepEqual(lines, ["info [uninspectable: no]", "info { a: [Getter] }", "info after"]);
});

test("A tree of shared references is shown in part", async () => {
  const [line] = await linesOf("let tree = { leaf: 1 }; for (let i = 0; i < 4; i++) tree = Array.from({ length: 100 }, () => tree); console.log(tree)");
  // Whole it would be a hundred million leaves.
  assert.match(line, /leaf: 1/);
  assert.ok(line.length <= "info ".length + 16_384);
});

test("A line of megabytes is cut before it is handed over", async () => {
  const [line] = await linesOf("console.log('x'.repeat(5_000_000))");
  assert.equal(line.length, "info ".length + 16_384);
});

test("Groups, counters, timers, assertions and tables", async () => {
  assert.deepEqual(
    await linesOf("console.group('g'); console.log('in'); console.groupEnd(); console.count(); console.count(); console.time('t'); console.timeEnd('t'); console.assert(false, 'why %d', 1); console.assert(true, 'not'); console.table([{ a: 1, b: 'x' }, { a: 22 }])"),
    ["info g", "info   in", "info default: 1", "info default: 2", "info t: 0.000ms", "error Assertion failed: why 1", "info (index) | a  | b", "info 0       | 1  | 'x'", "info 1       | 22 |"],
  );
});

test("A request, a response and headers show what they hold", async () => {
  const lines = await linesOf("console.log(new Request('http://h/', { method: 'POST', headers: { a: '1' } }), new Headers({ b: '2' }), new URL('http://u/'))");
  assert.match(lines[0], /Request \{ method: 'POST', url: 'http:\/\/h\/', headers: Headers \{ a: '1' \} \} Headers \{ b: '2' \} URL \{ href: 'http:\/\/u\/' \}/);
});

test("An unhandled rejection is logged as an error, a late handler silences it", async () => {
  const lines = await linesOf("Promise.reject(new Error('lost')); const p = Promise.reject(1); await null; p.catch(() => {}); await null");
  assert.equal(lines.length, 1);
  assert.match(lines[0], /^error Unhandled rejection: Error: lost/);
});

test("What timers, microtasks and listeners throw is logged and stops nothing else", async () => {
  const lines = await linesOf(`
    queueMicrotask(() => { throw new Error("micro") });
    setTimeout(() => { throw "timer" }, 1);
    const target = new EventTarget();
    target.addEventListener("x", () => { throw new Error("listener") });
    target.addEventListener("x", () => console.log("second"));
    target.dispatchEvent(new Event("x"));
    await new Promise((resolve) => setTimeout(resolve, 5))`);
  assert.match(lines[0], /^error Uncaught in an event listener: Error: listener/);
  assert.equal(lines[1], "info second");
  assert.match(lines[2], /^error Uncaught: Error: micro/);
  assert.equal(lines[3], "error Uncaught: timer");
});

test("A module may log while it loads", async () => {
  const { calls } = await deploy("console.log('loading'); export const handler = () => 1");
  assert.deepEqual(calls.logs, [{ level: "info", text: "loading" }]);
});
