import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./host.mjs";

/** Runs a body with `V` as env.VECTORIZE; every operation is answered with these fields and rows. */
async function withVectors(body, { fields = ["id"], rows = [], metric = "cosine" } = {}) {
  const asked = [];
  const answer = JSON.stringify({
    name: "default", dimensions: 2, metric, mutation: "m1", result: { fields: fields.map((name) => ({ name, type: "text" })), rows },
  });
  const names = ["query", "insert", "upsert", "get", "delete", "list", "describe"];
  const operations = Object.fromEntries(
    names.map((name) => [
      "vectors." + name,
      (input, payload) => {
        const floats = payload && [...new Float32Array(Uint8Array.from(payload).buffer)];
        asked.push({ name, input, floats });
        return { text: answer };
      },
    ]),
  );
  const result = await run(`export async function handler() { const V = env.VECTORIZE; ${body} }`, {}, { operations });
  assert.equal(result.failure, undefined);
  return { asked, json: result.json };
}

const nameOf = async (expression) =>
  (await withVectors(`return [await (async () => ${expression})().then(() => "no error", (e) => e.name)]`)).json[0];

test("A query sends the vector as numbers of 32 bits, and its options", async () => {
  const { asked, json } = await withVectors(
    `return [await V.query([0.5, -1], { topK: 2, namespace: "n", filter: { a: 1 }, returnMetadata: "indexed", returnValues: true, text: "t", textWeight: 0.2 }),
      await V.index("other").query(new Float64Array([1, 2])), await V.queryById("x")];`,
    { fields: ["id", "score", "namespace", "metadata"], rows: [["a", 0.5, "n", { m: 1 }], ["b", 0.25, "", {}]] },
  );
  assert.deepEqual(asked[0], {
    name: "query",
    input: {
      index: "default", topK: 2, namespace: "n", filter: { a: 1 }, text: "t", textWeight: 0.2, exact: false, values: true, metadata: true,
      document: false,
    },
    floats: [0.5, -1],
  });
  assert.deepEqual([asked[1].input.index, asked[1].input.topK, asked[1].floats], ["other", 5, [1, 2]]);
  assert.deepEqual([asked[2].input.id, asked[2].floats], ["x", undefined]);
  assert.deepEqual(json[0], {
    matches: [{ id: "a", score: 0.5, namespace: "n", metadata: { m: 1 } }, { id: "b", score: 0.25, metadata: {} }],
    count: 2,
  });
});

test("Vectors are stored with their numbers one after the other", async () => {
  const { asked, json } = await withVectors(
    `return await V.upsert([{ id: "a", values: [1, 2], metadata: { x: [1] }, document: "d" }, { id: "b", values: new Float32Array([3]), namespace: "n" }]);`,
    { rows: [["a"], ["b"]] },
  );
  assert.deepEqual(asked, [
    {
      name: "upsert",
      input: {
        index: "default",
        vectors: [{ id: "a", n: 2, metadata: { x: [1] }, document: "d" }, { id: "b", n: 1, namespace: "n" }],
      },
      floats: [1, 2, 3],
    },
  ]);
  assert.deepEqual(json, { mutationId: "m1", ids: ["a", "b"], count: 2 });
});

test("minScore leaves out what is worse; a euclidean score is a distance", async () => {
  const rows = [["a", 0.1], ["b", 0.5], ["c", 0.9]];
  const ids = `(await V.query([1, 2], { minScore: 0.5 })).matches.map((m) => m.id)`;
  assert.deepEqual((await withVectors(`return ${ids}`, { fields: ["id", "score"], rows })).json, ["b", "c"]);
  assert.deepEqual((await withVectors(`return ${ids}`, { fields: ["id", "score"], rows, metric: "euclidean" })).json, ["a", "b"]);
});

test("A list tells whether there is more", async () => {
  const { asked, json } = await withVectors(
    `return [await V.listVectors({ limit: 2 }), await V.listVectors({ limit: 3, cursor: "YQ==" }), await V.getByIds([])];`,
    { rows: [["a"], ["b"], ["c"]] },
  );
  assert.deepEqual(asked[0].input, { index: "default", limit: 2 });
  assert.deepEqual(asked[1].input, { index: "default", limit: 3, cursor: "YQ==" });
  assert.deepEqual(json[0], { vectors: [{ id: "a" }, { id: "b" }], count: 2, isTruncated: true, nextCursor: "Yg==" });
  assert.deepEqual([json[1].isTruncated, json[1].nextCursor, json[2]], [false, null, []]);
});

test("What can't be a vector or an option is refused before it is sent", async () => {
  for (const expression of [
    "V.query([1, '2'])", "V.query([1, 2], { topK: 1.5 })", "V.query([1, 2], { returnMetadata: 'some' })",
    "V.query([1, 2], { namespace: 1 })", "V.insert({})", "V.insert([null])", "V.insert([{ id: 1, values: [1] }])",
    "V.insert([{ id: 'a' }])", "V.insert([{ id: 'a', values: [1], document: 1 }])",
  ]) assert.equal(await nameOf(expression), "TypeError", expression);
  assert.equal(await nameOf("V.listVectors({ limit: 0 })"), "RangeError");
});

test("Floating-point arrays are marked among the parameters of a statement", async () => {
  let asked;
  const operations = {
    "db.query": (input) => ((asked = input), { text: JSON.stringify({ command: "SELECT", rowCount: 0, fields: [], rows: [], duration: 0 }) }),
  };
  await run(
    `export const handler = () => db.query("select $1, $2, $3", [1, new Float32Array([1]), new Float64Array([1])])`,
    {},
    { operations },
  );
  assert.deepEqual(asked, { sql: "select $1, $2, $3", params: ["1", "\\x0000803f", "\\x000000000000f03f"], floats: [0, 4, 8] });
});
