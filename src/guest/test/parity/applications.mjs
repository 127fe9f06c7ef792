// An application on Hono with its middleware, and jose with every kind of key.
import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { bearerAuth } from "hono/bearer-auth";
import { bodyLimit } from "hono/body-limit";
import { compress } from "hono/compress";
import { getSignedCookie, setSignedCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { csrf } from "hono/csrf";
import { etag } from "hono/etag";
import { html } from "hono/html";
import { jwt, sign } from "hono/jwt";
import { secureHeaders } from "hono/secure-headers";
import { stream, streamSSE, streamText } from "hono/streaming";
import { timing } from "hono/timing";
import { trimTrailingSlash } from "hono/trailing-slash";
import { validator } from "hono/validator";
import * as jose from "jose";
import { collect } from "./collect.mjs";

const cases = {};
const app = new Hono();
app.use(timing(), trimTrailingSlash());
app.use("/cors/*", cors({ origin: "https://a", credentials: true, allowMethods: ["GET"] }));
app.use("/safe/*", secureHeaders());
app.use("/basic/*", basicAuth({ username: "u", password: "p" }));
app.use("/bearer/*", bearerAuth({ token: "t" }));
app.use("/jwt/*", jwt({ secret: "s", alg: "HS256" }));
app.use("/etag/*", etag());
app.use("/small/*", compress({ threshold: 100 }));
app.use("/csrf/*", csrf());
app.use("/limit/*", bodyLimit({ maxSize: 4 }));
app.get("/stream", (c) => streamText(c, async (s) => { await s.write("a"); await s.sleep(2); await s.writeln("b"); }));
app.get("/events", (c) => streamSSE(c, async (s) => { for (let id = 0; id < 3; id++) await s.writeSSE({ data: `n${id}`, event: "tick", id: String(id) }); }));
app.get("/bytes", (c) => stream(c, async (s) => { await s.pipe(new Blob(["piped"]).stream()); }));
app.get("/small/text", (c) => c.text("long ".repeat(100)));
app.get("/cookie", async (c) => { await setSignedCookie(c, "a", "1", "secret"); return c.json(await getSignedCookie(c, "secret", "a") ?? null); });
app.post("/valid", validator("json", (value, c) => (value.n > 0 ? value : c.text("no", 422))), (c) => c.json(c.req.valid("json")));
app.get("/html", (c) => c.html(html`<p>${"<x>"}</p>`));
app.get("/jwt/x", (c) => c.json(c.get("jwtPayload")));
app.post("/form", async (c) => { const { a, f } = await c.req.parseBody(); return c.json([a, await f.text(), f.name]); });
app.all("*", (c) => c.text(c.req.path));

const ask = async (path, init) => {
  const response = await app.request(path, init);
  const wanted = ["content-type", "etag", "set-cookie", "www-authenticate", "content-encoding", "access-control-allow-origin", "access-control-allow-methods", "x-content-type-options", "strict-transport-security", "location", "vary"];
  const headers = wanted.flatMap((name) => (response.headers.has(name) ? [[name, response.headers.get(name)]] : []));
  const body = response.headers.get("content-encoding") === "gzip" ? await new Response(response.body.pipeThrough(new DecompressionStream("gzip"))).text() : await response.text();
  return [response.status, headers, body];
};
const authorization = (value) => ({ headers: { authorization: value } });

for (const [name, path, init] of [
  ["routing", "/any/where"], ["trailing slash", "/any/"], ["preflight", "/cors/x", { method: "OPTIONS", headers: { origin: "https://a", "access-control-request-method": "GET" } }], ["cors", "/cors/x", { headers: { origin: "https://a" } }],
  ["secure headers", "/safe/x"], ["basic without", "/basic/x"], ["basic", "/basic/x", authorization(`Basic ${btoa("u:p")}`)], ["bearer wrong", "/bearer/x", authorization("Bearer x")],
  ["bearer", "/bearer/x", authorization("Bearer t")], ["jwt without", "/jwt/x"], ["etag", "/etag/x"], ["etag matched", "/etag/x", { headers: { "if-none-match": '"06dac63e72fcc661b0cac57ffcf26566b876dbe4"' } }],
  ["stream", "/stream"], ["events", "/events"], ["piped", "/bytes"], ["compress", "/small/text", { headers: { "accept-encoding": "gzip" } }], ["signed cookie", "/cookie"],
  ["signed cookie back", "/cookie", { headers: { cookie: "a=1.forged" } }], ["valid", "/valid", { method: "POST", body: '{"n":1}', headers: { "content-type": "application/json" } }],
  ["invalid", "/valid", { method: "POST", body: '{"n":0}', headers: { "content-type": "application/json" } }], ["html", "/html"],
  ["csrf", "/csrf/x", { method: "POST", headers: { "content-type": "text/plain", origin: "https://evil" } }], ["body limit", "/limit/x", { method: "POST", body: "too long" }],
]) cases[`Hono: ${name}`] = () => ask(path, init);
cases["Hono: jwt"] = async () => {
  const token = await sign({ sub: "u1" }, "s", "HS256");
  return [token, await ask("/jwt/x", authorization(`Bearer ${token}`)), (await ask("/jwt/x", authorization(`Bearer ${token}x`)))[0]];
};
cases["Hono: form"] = () => {
  const form = new FormData();
  form.append("a", "1");
  form.append("f", new File(["file"], "x.txt"));
  return ask("/form", { method: "POST", body: form });
};

for (const alg of ["HS256", "RS256", "PS384", "ES256", "ES512", "EdDSA"]) {
  cases[`jose: ${alg}`] = async () => {
    const signer = (key) => new jose.SignJWT({ role: "r" }).setProtectedHeader({ alg, kid: "k" }).setSubject("u").setExpirationTime("1h").sign(key);
    if (alg === "HS256") {
      const secret = new TextEncoder().encode("a secret of thirty-two characters");
      return [(await jose.jwtVerify(await signer(secret), secret)).payload.sub, await jose.jwtVerify(`${await signer(secret)}x`, secret).catch((e) => e.code)];
    }
    const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    const keys = jose.createLocalJWKSet({ keys: [{ ...(await jose.exportJWK(publicKey)), kid: "k", alg }] });
    const again = await jose.importPKCS8(await jose.exportPKCS8(privateKey), alg);
    const spki = await jose.importSPKI(await jose.exportSPKI(publicKey), alg);
    return [(await jose.jwtVerify(await signer(again), keys)).payload.sub, (await jose.jwtVerify(await signer(privateKey), spki)).payload.role, (await jose.calculateJwkThumbprint(await jose.exportJWK(publicKey))).length];
  };
}
for (const [alg, enc] of [["dir", "A256GCM"], ["A128KW", "A128CBC-HS256"], ["A256GCMKW", "A256GCM"], ["PBES2-HS256+A128KW", "A128GCM"], ["RSA-OAEP-256", "A256GCM"], ["ECDH-ES+A256KW", "A256CBC-HS512"]]) {
  cases[`jose: ${alg} ${enc}`] = async () => {
    const pair = /^(RSA|ECDH)/.test(alg) ? await jose.generateKeyPair(alg) : undefined;
    const secret = alg.startsWith("PBES2") ? new TextEncoder().encode("password") : new Uint8Array({ dir: 32, A128KW: 16, A256GCMKW: 32 }[alg] ?? 0).fill(5);
    const encrypted = await new jose.CompactEncrypt(new TextEncoder().encode("text")).setProtectedHeader({ alg, enc }).encrypt(pair?.publicKey ?? secret);
    const options = { keyManagementAlgorithms: [alg], maxPBES2Count: 100_000 };
    return new TextDecoder().decode((await jose.compactDecrypt(encrypted, pair?.privateKey ?? secret, options)).plaintext);
  };
}

export const results = () => collect(cases);
