// Real applications: the Hono example as it is deployed, and another router.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { deploy, invoke, run } from "./host.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

async function bundle(options) {
  const { outputFiles } = await build({
    bundle: true, write: false, format: "esm", target: "es2023", logLevel: "warning",
    conditions: ["workerd", "worker"], nodePaths: [path("../node_modules")], ...options,
  });
  return outputFiles[0].text;
}

describe("The Hono example", () => {
  let app;
  before(async () => {
    app = await deploy(await bundle({ entryPoints: [path("../../../examples/hono/index.ts")] }));
  });

  const request = (method, route, { body, headers = [], operations } = {}) =>
    invoke(
      app,
      { request: { method, url: `http://h${route}`, headers } },
      { bytes: body === undefined ? undefined : Buffer.from(body), operations },
    );

  test("is a Workers module", () => assert.deepEqual(app.bound, { form: "workers", entry: "default", handlers: ["fetch"] }));

  test("answers a route with text, and its middleware adds headers", async () => {
    const answer = await request("GET", "/");
    assert.equal(answer.text, "Hello from Hono");
    assert.equal(answer.header("access-control-allow-origin"), "*");
    assert.equal(answer.header("server-timing"), "app;dur=0.0");
  });

  test("reads path and query parameters", async () => {
    const answer = await request("GET", "/greet/Ad%C3%A0?shout=yes");
    assert.deepEqual(answer.json, { hello: "Adà", shout: true });
  });

  test("validates a JSON body", async () => {
    const headers = [["content-type", "application/json"]];
    assert.deepEqual((await request("POST", "/sum", { headers, body: '{"numbers":[1,2,3]}' })).json, { sum: 6 });
    const refused = await request("POST", "/sum", { headers, body: '{"numbers":["x"]}' });
    assert.equal(refused.status, 400);
    assert.deepEqual(refused.json, { error: "numbers must be an array of numbers" });
  });

  test("answers preflight and unknown routes", async () => {
    const preflight = await request("OPTIONS", "/sum", { headers: [["origin", "http://o"], ["access-control-request-method", "POST"]] });
    assert.equal(preflight.status, 204);
    const unknown = await request("GET", "/nowhere");
    assert.equal(unknown.status, 404);
    assert.equal(unknown.json.error, "Not found");
  });
});

describe("Hono's middleware and helpers", () => {
  let app;
  before(async () => {
    app = await deploy(await bundle({
      stdin: {
        resolveDir: path("."),
        contents: `
          import { Hono } from "hono";
          import { getCookie, setCookie } from "hono/cookie";
          import { html } from "hono/html";
          import { logger } from "hono/logger";
          import { secureHeaders } from "hono/secure-headers";
          import { stream, streamText } from "hono/streaming";
          import { timeout } from "hono/timeout";
          const app = new Hono();
          app.use("/log/*", logger());
          app.use("/safe/*", secureHeaders());
          app.use("/slow/*", timeout(20));
          app.get("/slow/x", async (c) => { await new Promise((r) => setTimeout(r, 1000)); return c.text("late") });
          app.get("/cookie", (c) => { setCookie(c, "a", "1"); setCookie(c, "b", "2"); return c.text(getCookie(c, "in") ?? "none") });
          app.get("/html", (c) => c.html(html\`<p>\${"<x>"}</p>\`));
          app.get("/stream", (c) => streamText(c, async (s) => { await s.write("a"); await s.sleep(5); await s.write("b") }));
          app.post("/form", async (c) => { const body = await c.req.parseBody(); return c.json({ a: body.a, file: await body.f?.text?.() }) });
          app.get("/background", (c) => { c.executionCtx.waitUntil(Promise.resolve()); return c.body(null, 204) });
          app.get("/boom", () => { throw new Error("boom") });
          app.all("*", (c) => c.text(c.req.path));
          export default app;`,
      },
    }));
  });

  const get = (route, headers = [], more = {}) =>
    invoke(app, { request: { method: more.method ?? "GET", url: `http://h${route}`, headers } }, { bytes: more.bytes });

  test("cookies in and out", async () => {
    const answer = await get("/cookie", [["cookie", "in=value"]]);
    assert.equal(answer.text, "value");
    assert.deepEqual(answer.headers.filter(([name]) => name === "set-cookie").map(([, value]) => value), ["a=1; Path=/", "b=2; Path=/"]);
  });

  test("html escapes, streaming collects", async () => {
    assert.equal((await get("/html")).text, "<p>&lt;x&gt;</p>");
    assert.equal((await get("/stream")).text, "ab");
  });

  test("a multipart form is parsed", async () => {
    const body = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nfile\r\n--b--\r\n';
    const answer = await get("/form", [["content-type", "multipart/form-data; boundary=b"]], { method: "POST", bytes: Buffer.from(body) });
    assert.deepEqual(answer.json, { a: "1", file: "file" });
  });

  test("logging, secure headers, timeouts, background work and errors", async () => {
    assert.match((await get("/log/x")).calls.logs[1].text, /--> GET \/log\/x .*200/);
    assert.equal((await get("/safe/x")).header("x-content-type-options"), "nosniff");
    assert.equal((await get("/slow/x")).status, 504);
    assert.equal((await get("/background")).status, 204);
    const boom = await get("/boom");
    assert.equal(boom.status, 500);
    assert.match(boom.calls.logs[0].text, /Error: boom/);
  });
});

test("itty-router answers", async () => {
  const source = await bundle({
    stdin: {
      resolveDir: path("."),
      contents: `
        import { AutoRouter } from "itty-router";
        const router = AutoRouter();
        router.get("/hello/:name", ({ name, query }) => ({ name, q: query.q }));
        export default { ...router };`,
    },
  });
  const answer = await run(source, { request: { method: "GET", url: "http://h/hello/ada?q=1", headers: [] } });
  assert.deepEqual(answer.json, { name: "ada", q: "1" });
});
