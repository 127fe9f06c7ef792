import assert from "node:assert/strict";
import { test } from "node:test";
import { deploy } from "./host.mjs";

test("The Workers form is found by its default export's handlers", async () => {
  const { bound } = await deploy("export default { fetch() {}, queue() {} }");
  assert.deepEqual(bound, { form: "workers", entry: "default", handlers: ["fetch", "queue"] });
});

test("A `handler` beside the Workers form serves the other triggers", async () => {
  const { bound } = await deploy("export default { fetch() {} }; export function handler() {}");
  assert.deepEqual(bound, { form: "workers", entry: "default", handlers: ["fetch", "handler"] });
});

test("`handler` is preferred among several functions", async () => {
  const { bound } = await deploy("export function helper() {} export function handler() {}");
  assert.deepEqual(bound, { form: "handler", entry: "handler", handlers: ["handler"] });
});

test("A single function of any name will do", async () => {
  const { bound } = await deploy("export function onOrderCreated() {}; export const version = 3;");
  assert.deepEqual(bound, { form: "handler", entry: "onOrderCreated", handlers: ["onOrderCreated"] });
});

test("A default function will do", async () => {
  const { bound } = await deploy("export default async (event) => event");
  assert.deepEqual(bound, { form: "handler", entry: "default", handlers: ["default"] });
});

test("The export that is asked for by name is preferred to all others", async () => {
  const source = "export function a() {} export function handler() {} export const app = { fetch() {} }; export const value = 1;";
  assert.deepEqual((await deploy(source, "a")).bound, { form: "handler", entry: "a", handlers: ["a"] });
  assert.deepEqual((await deploy(source, "app")).bound, { form: "workers", entry: "app", handlers: ["fetch"] });
  await assert.rejects(deploy(source, "value"), /exports no function named "value"/);
  await assert.rejects(deploy(source, "toString"), /exports no function named "toString"/);
});

for (const [what, source, message] of [
  ["nothing", "const x = 1;", /exports nothing\. Export `async function handler\(event\)`/],
  ["only values", "export const a = 1, b = 2;", /exports no function \(only a, b\)/],
  ["several functions", "export function a() {} export function b() {}", /exports 2 functions \(a, b\)/],
]) {
  test(`A module that exports ${what} is refused with advice`, async () => {
    await assert.rejects(deploy(source), message);
  });
}

test("A top level that awaits has settled before it is bound", async () => {
  const { bound } = await deploy("const value = await Promise.resolve(1); export function handler() { return value }");
  assert.equal(bound.entry, "handler");
});
