import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./host.mjs";

const head = {
  key: "a", version: "v", size: 5, etag: "e", uploaded: 1e12, storageClass: "Standard",
  http: { contentType: "text/plain", cacheExpiry: 2e12 }, custom: { m: "1" }, checksums: { md5: "00ff" }, range: [0, 5],
};

/** A host that has one object, records what it is asked, and streams what is read in two chunks. */
function host() {
  const asked = [];
  const chunks = [Buffer.from("lar"), Buffer.from("ge")];
  const text = (value) => ({ text: JSON.stringify(value) });
  const record = (name) => (input, bytes) => void asked.push([name, input, bytes && bytes.length]);
  return {
    asked,
    operations: {
      "storage.head": (input) => (asked.push(["head", input]), text(input.key === "a" ? head : null)),
      "storage.get": (input) => {
        asked.push(["get", input]);
        if (input.key === "none") return text(null);
        if (input.key === "changed") return text({ head, body: false });
        if (input.key === "large") return text({ head, body: true, stream: 7 });
        return { text: JSON.stringify({ head, body: true }), bytes: Buffer.from("hello") };
      },
      "storage.read": () => ({ text: "", bytes: chunks.shift() }),
      "storage.cancel": record("cancel"),
      "storage.put": (input, bytes) => (asked.push(["put", input, bytes && Buffer.from(bytes).toString()]), text(input.part ? { partNumber: input.part, etag: "pe" } : head)),
      "storage.open": (input) => (asked.push(["open", input]), text({ writer: 3 })),
      "storage.write": record("write"),
      "storage.discard": record("discard"),
      "storage.finish": (input) => (asked.push(["finish", input]), text(head)),
      "storage.delete": record("delete"),
      "storage.list": (input) => (asked.push(["list", input]), text({ objects: [head], delimitedPrefixes: ["p/"], cursor: input.cursor ? undefined : "next" })),
      "storage.upload": (input) => (asked.push(["upload", input]), text({ uploadId: "u" })),
      "storage.complete": (input) => (asked.push(["complete", input]), text(head)),
      "storage.abort": record("abort"),
      "storage.sign": (input) => (asked.push(["sign", input]), text({ url: "/path" })),
    },
  };
}

async function withStorage(body) {
  const { asked, operations } = host();
  const answer = await run(`export async function handler() { const B = env.STORAGE; ${body} }`, {}, { operations });
  return { asked, json: answer.failure === undefined ? answer.json : answer.failure };
}

const messageOf = async (expression) =>
  (await withStorage(`return [await (async () => ${expression})().then(() => "no error", (e) => e.message)]`)).json[0];

test("An object has the members of R2", async () => {
  const { json } = await withStorage(
    `const o = await B.get("a"); const headers = new Headers(); o.writeHttpMetadata(headers);
     return [o.constructor.name, o.httpEtag, o.uploaded.getTime(), o.httpMetadata.cacheExpiry.getTime(), o.customMetadata, o.range, JSON.stringify(o.checksums),
       [...new Uint8Array(o.checksums.md5)], o.checksums.sha1 === undefined, [...headers].length, await o.text(), o.bodyUsed,
       (await B.head("none")), (await B.get("none")), "body" in (await B.get("changed"))]`,
  );
  assert.deepEqual(json, [
    "R2ObjectBody", '"e"', 1e12, 2e12, { m: "1" }, { offset: 0, length: 5 }, '{"md5":"00ff"}', [0, 255], true, 2, "hello", true, null, null, false,
  ]);
});

test("A large object is a stream, which can be cancelled", async () => {
  const { asked, json } = await withStorage(
    `const text = await (await B.get("large")).text(); await (await B.get("large")).body.cancel(); await B.head("a"); return [text]`,
  );
  assert.deepEqual(json, ["large"]);
  assert.deepEqual(asked.at(-2), ["cancel", { stream: 7 }, undefined]);
});

test("What is short is put by one operation, and what is long by several", async () => {
  const { asked } = await withStorage(
    `await B.put("a", "text", { customMetadata: { n: 1 }, httpMetadata: new Headers({ "content-type": "x/y" }), sha1: "0".repeat(40) });
     await B.bucket("b").put("c", new ReadableStream({ start(c) { c.enqueue(new Uint8Array([104])); c.enqueue(new Uint8Array([105])); c.close(); } }));
     await B.put("d", new Uint8Array(2500000));`,
  );
  assert.deepEqual(asked, [
    ["put", { bucket: "default", key: "a", custom: { n: "1" }, http: { contentType: "x/y" }, digest: { name: "sha1", hex: "0".repeat(40) } }, "text"],
    ["put", { bucket: "b", key: "c" }, "hi"],
    ["open", { bucket: "default", key: "d" }],
    ["write", { stream: 3 }, 1048576],
    ["write", { stream: 3 }, 1048576],
    ["write", { stream: 3 }, 402848],
    ["finish", { stream: 3 }],
  ]);
});

test("A source that fails discards what was written", async () => {
  const { asked, json } = await withStorage(
    `let n = 0; const source = new ReadableStream({ pull(c) { if (n++ < 3) c.enqueue(new Uint8Array(70000)); else throw new Error("no more"); } });
     const message = await B.put("a", source).catch((e) => e.message); await B.head("a"); return [message]`,
  );
  assert.deepEqual(json, ["no more"]);
  assert.deepEqual(asked.map(([name]) => name).slice(0, 1).concat(asked.at(-2)[0]), ["open", "discard"]);
});

test("Conditions and ranges are sent in one form", async () => {
  const { asked } = await withStorage(
    `await B.get("a", { onlyIf: { etagMatches: "x", etagDoesNotMatch: "*", uploadedBefore: new Date(5), secondsGranularity: true }, range: { offset: 1, length: 2 } });
     await B.get("a", { onlyIf: new Headers({ "if-none-match": 'W/"a", "b,c"', "if-modified-since": "Thu, 01 Jan 1970 00:00:01 GMT" }), range: new Headers({ range: "bytes=1-" }) });`,
  );
  assert.deepEqual(asked, [
    ["get", { bucket: "default", key: "a", onlyIf: { etagMatches: [["x", false]], etagDoesNotMatch: [[null, false]], uploadedBefore: 5, seconds: true }, range: { offset: 1, length: 2 } }],
    ["get", { bucket: "default", key: "a", onlyIf: { etagDoesNotMatch: [["a", true], ["b,c", false]], uploadedAfter: 1000, seconds: true }, range: { header: "bytes=1-" } }],
  ]);
});

test("Lists include what they are asked to include", async () => {
  const { asked, json } = await withStorage(
    `const page = await B.list({ prefix: "p", include: ["customMetadata"] }), last = await B.list({ cursor: page.cursor, limit: 1 });
     return [page.truncated, page.cursor, page.delimitedPrefixes, "httpMetadata" in page.objects[0], page.objects[0].customMetadata, last.truncated, "cursor" in last,
       (() => { try { page.objects[0].writeHttpMetadata(new Headers()) } catch (e) { return e.message } })()]`,
  );
  assert.deepEqual(json, [
    true, "next", ["p/"], false, { m: "1" }, false, false,
    "HTTP metadata unknown for key `a`. Did you forget to add 'httpMetadata' to `include` when listing?",
  ]);
  assert.deepEqual(asked[0], ["list", { bucket: "default", limit: 1000, prefix: "p" }]);
});

test("Uploads in parts, deletions and signed URLs ask the host", async () => {
  const { asked, json } = await withStorage(
    `const u = await B.createMultipartUpload("a"); const part = await u.uploadPart(1, "x"); await u.complete([part]); await u.abort();
     await B.delete("k"); await B.delete(["k", "l"]);
     return [u.uploadId, part, await B.createSignedUrl("a"), await B.createSignedUrl("a", { method: "PUT", expiresIn: 60, maxBytes: 9, contentType: "t/u" })]`,
  );
  assert.deepEqual(json, ["u", { partNumber: 1, etag: "pe" }, "/path", "/path"]);
  const names = { bucket: "default", key: "a", uploadId: "u" };
  assert.deepEqual(asked, [
    ["upload", { bucket: "default", key: "a" }],
    ["put", { ...names, part: 1 }, "x"],
    ["complete", { ...names, parts: [{ partNumber: 1, etag: "pe" }] }],
    ["abort", names, undefined],
    ["delete", { bucket: "default", keys: ["k"] }, undefined],
    ["delete", { bucket: "default", keys: ["k", "l"] }, undefined],
    ["sign", { bucket: "default", key: "a", method: "GET", expiresIn: 3600 }],
    ["sign", { bucket: "default", key: "a", method: "PUT", expiresIn: 60, maxBytes: 9, contentType: "t/u" }],
  ]);
});

test("Wrong options have the messages of R2", async () => {
  const cases = {
    'B.put("a", "x", { md5: "0".repeat(32), sha1: "0".repeat(40) })': "You cannot specify multiple hashing algorithms.",
    'B.put("a", "x", { sha256: "0" })': "SHA-256 is 64 hex characters, not 1",
    'B.put("a", "x", { sha1: "g".repeat(40) })': "Provided SHA-1 wasn't a valid hex string",
    'B.put("a", "x", { sha1: new Uint8Array(3) })': "SHA-1 is 20 bytes, not 3",
    'B.get("a", { range: { offset: -1 } })': "Invalid range. Starting offset (-1) must be greater than or equal to 0.",
    'B.get("a", { range: { length: 0.5 } })': "Invalid range. Length (0.5) must be an integer, not floating point.",
    'B.get("a", { range: { offset: 1, suffix: 1 } })': "Suffix is incompatible with offset.",
    'B.get("a", { range: { suffix: -1 } })': "Invalid suffix. Suffix (-1) must be greater than or equal to 0.",
    'B.list({ include: ["all"] })': "Unsupported include value all",
    'B.get("a", { onlyIf: new Headers({ "if-match": \'"a\' }) })': "Unclosed double quote for Etag",
  };
  for (const [expression, message] of Object.entries(cases)) assert.equal(await messageOf(expression), message);
});
