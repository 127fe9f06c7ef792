import assert from "node:assert/strict";
import { test } from "node:test";
import { post, run } from "./host.mjs";

test("A function that replaces every built-in still answers and ends", async () => {
  const answer = await run(
    `const trap = (owner, name) => {
      const property = getOwnPropertyDescriptor(owner, name);
      if (property?.configurable && typeof property.value === "function") {
        defineProperty(owner, name, { value() { throw new Error("replaced " + String(name)) } });
      }
    };
    const { defineProperty, getOwnPropertyDescriptor } = Object;
    const owners = [
      JSON, Object, Reflect, Array, Array.prototype, String.prototype, Promise, Promise.prototype, Map.prototype, RegExp.prototype,
      Uint8Array, Object.getPrototypeOf(Uint8Array.prototype), TextDecoder.prototype, TextEncoder.prototype,
      Error, Function.prototype, Date.prototype, Number, ArrayBuffer,
    ];
    const names = owners.map((owner) => Reflect.ownKeys(owner));
    export const handler = async (event) => {
      for (let i = 0; i < owners.length; i++) {
        for (let k = 0; k < names[i].length; k++) {
          // The language itself reads a promise's constructor at each await, the handler's own included.
          if (names[i][k] !== "constructor") trap(owners[i], names[i][k]);
        }
      }
      const rows = await db.query("select $1", ["a"]);
      return { statusCode: 200, body: { got: event.body.key, row: rows[0].column } };
    }`,
    post('{"key":"value"}')[0],
    {
      ...post('{"key":"value"}')[1],
      operations: {
        "db.query": () => ({ command: "SELECT", rowCount: 1, fields: [{ name: "column", type: "text" }], rows: [["a"]], duration: 1 }),
      },
    },
  );
  assert.equal(answer.failure, undefined);
  assert.deepEqual(answer.json, { got: "value", row: "a" });
  assert.equal(answer.done, "");
});

test("The host's function is nowhere in the global object", async () => {
  const answer = await run(`export const handler = () => Reflect.ownKeys(globalThis).filter((key) => /pgfn|protocol/.test(String(key)))`);
  assert.deepEqual(answer.json, []);
});

test("Stack frames don't hand out the functions that run the handler", async () => {
  const answer = await run(`export const handler = () => {
    let frames;
    Error.prepareStackTrace = (error, sites) => { frames = sites; return ""; };
    void new Error("look").stack;
    return { frames: frames.length > 1, found: frames.filter((frame) => frame.getFunction !== undefined).length };
  }`);
  assert.deepEqual(answer.json, { frames: true, found: 0 });
});

test("Replaced hooks of calls and stacks never see the protocol's functions", async () => {
  const answer = await run(`
    const seen = [];
    const { call, apply, bind } = Function.prototype;
    const note = (value) => { if (typeof value === "function") seen.push(value.name); };
    Function.prototype.call = function (...args) { note(this); return Reflect.apply(call, this, args) };
    Function.prototype.apply = function (...args) { note(this); return Reflect.apply(apply, this, args) };
    Object.defineProperty(Object.prototype, "then", { configurable: true, get() { note(this); return undefined } });
    export const handler = async () => { await null; log.info("line"); return { seen } };`);
  assert.deepEqual(answer.json.seen.filter((name) => /host|invoke|complete|respond|bind/i.test(name)), []);
});

test("A setter on Object.prototype can't read a row's columns or change its prototype", async () => {
  const answer = await run(
    "export const handler = async () => { const [row] = await db.query('x'); return { own: Object.hasOwn(row, '__proto__'), polluted: row.admin ?? null } }",
    {},
    {
      operations: {
        "db.query": () => ({
          command: "SELECT", rowCount: 1, fields: [{ name: "__proto__", type: "jsonb" }], rows: [[{ admin: true }]], duration: 1,
        }),
      },
    },
  );
  assert.deepEqual(answer.json, { own: true, polluted: null });
});

test("A thenable result is awaited like a promise", async () => {
  const answer = await run("export const handler = () => ({ then(resolve) { resolve({ ok: true }) } })");
  assert.deepEqual(answer.json, { ok: true });
});
