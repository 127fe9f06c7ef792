// Keys must mean the same here and elsewhere: Node's own implementation is the other side.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { deploy, invoke, post } from "./host.mjs";

const algorithms = {
  "ECDSA P-256": { import: { name: "ECDSA", namedCurve: "P-256" }, sign: { name: "ECDSA", hash: "SHA-256" } },
  "ECDSA P-384": { import: { name: "ECDSA", namedCurve: "P-384" }, sign: { name: "ECDSA", hash: "SHA-384" } },
  "ECDSA P-521": { import: { name: "ECDSA", namedCurve: "P-521" }, sign: { name: "ECDSA", hash: "SHA-512" } },
  "RSASSA-PKCS1-v1_5": {
    import: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    generate: { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
    sign: { name: "RSASSA-PKCS1-v1_5" },
  },
  "RSA-PSS": {
    import: { name: "RSA-PSS", hash: "SHA-256" },
    generate: { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
    sign: { name: "RSA-PSS", saltLength: 32 },
  },
};

const message = new TextEncoder().encode("message");
const hex = (bytes) => Buffer.from(bytes).toString("hex");

const guestSource = `
  const hex = (buffer) => new Uint8Array(buffer).toHex();
  const plain = (key) => key instanceof ArrayBuffer ? hex(key) : key;
  export const handler = async ({ body }) => {
    const { algorithm, publicFormat, publicKey, privateFormat, privateKey, signature } = body;
    const data = (format, key) => format === "jwk" ? key : Uint8Array.fromHex(key);
    const verifier = await crypto.subtle.importKey(publicFormat, data(publicFormat, publicKey), algorithm.import, true, ["verify"]);
    const signer = await crypto.subtle.importKey(privateFormat, data(privateFormat, privateKey), algorithm.import, true, ["sign"]);
    const message = new TextEncoder().encode("message");
    return {
      verified: await crypto.subtle.verify(algorithm.sign, verifier, Uint8Array.fromHex(signature), message),
      forged: await crypto.subtle.verify(algorithm.sign, verifier, Uint8Array.fromHex(signature), new Uint8Array(7)),
      signature: hex(await crypto.subtle.sign(algorithm.sign, signer, message)),
      exported: {
        spki: hex(await crypto.subtle.exportKey("spki", verifier)),
        pkcs8: hex(await crypto.subtle.exportKey("pkcs8", signer)),
        publicJwk: await crypto.subtle.exportKey("jwk", verifier),
        privateJwk: await crypto.subtle.exportKey("jwk", signer),
      },
    };
  };`;

describe("Keys from elsewhere", () => {
  let guest;
  before(async () => (guest = await deploy(guestSource)));

  for (const [name, algorithm] of Object.entries(algorithms)) {
    test(`${name}: keys in every format are read, used and written as elsewhere`, async () => {
      const pair = await webcrypto.subtle.generateKey({ ...algorithm.import, ...algorithm.generate }, true, ["sign", "verify"]);
      const exported = async (format, key) => {
        const value = await webcrypto.subtle.exportKey(format, key);
        return format === "jwk" ? value : hex(value);
      };
      const signature = hex(await webcrypto.subtle.sign(algorithm.sign, pair.privateKey, message));
      for (const [publicFormat, privateFormat] of [["spki", "pkcs8"], ["jwk", "jwk"]]) {
        const request = {
          algorithm, publicFormat, privateFormat, signature,
          publicKey: await exported(publicFormat, pair.publicKey),
          privateKey: await exported(privateFormat, pair.privateKey),
        };
        const { failure, json } = await invoke(guest, ...post(JSON.stringify(request))).then((a) => ({ failure: a.failure, json: a.failure ?? a.json }));
        assert.equal(failure, undefined, JSON.stringify(failure));
        assert.equal(json.verified, true);
        assert.equal(json.forged, false);
        assert.ok(await webcrypto.subtle.verify(algorithm.sign, pair.publicKey, Buffer.from(json.signature, "hex"), message));
        assert.equal(json.exported.spki, await exported("spki", pair.publicKey));
        await checkPrivateKey(algorithm, pair.publicKey, "pkcs8", Buffer.from(json.exported.pkcs8, "hex"));
        const { key_ops: publicOps, ...publicJwk } = json.exported.publicJwk;
        const { key_ops: nodeOps, ...nodeJwk } = await exported("jwk", pair.publicKey);
        assert.deepEqual(publicJwk, nodeJwk);
        await checkPrivateKey(algorithm, pair.publicKey, "jwk", json.exported.privateJwk);
      }
    });
  }

  async function checkPrivateKey(algorithm, publicKey, format, key) {
    const imported = await webcrypto.subtle.importKey(format, key, algorithm.import, true, ["sign"]);
    const signature = await webcrypto.subtle.sign(algorithm.sign, imported, message);
    assert.ok(await webcrypto.subtle.verify(algorithm.sign, publicKey, signature, message), format);
  }
});

test("A raw public key of a curve is a point, for signatures and for agreeing on a secret", async () => {
  const deployed = await deploy(`export const handler = async ({ body }) => {
    const ecdh = { name: "ECDH", namedCurve: "P-256" };
    const mine = await crypto.subtle.generateKey(ecdh, true, ["deriveBits"]);
    const theirs = await crypto.subtle.importKey("raw", Uint8Array.fromHex(body.point), ecdh, true, []);
    const bits = await crypto.subtle.deriveBits({ name: "ECDH", public: theirs }, mine.privateKey, 256);
    const refused = await crypto.subtle.exportKey("raw", mine.privateKey).catch((error) => error.name);
    return { bits: new Uint8Array(bits).toHex(), point: new Uint8Array(await crypto.subtle.exportKey("raw", mine.publicKey)).toHex(), refused };
  }`);
  const ecdh = { name: "ECDH", namedCurve: "P-256" };
  const pair = await webcrypto.subtle.generateKey(ecdh, true, ["deriveBits"]);
  const point = hex(await webcrypto.subtle.exportKey("raw", pair.publicKey));
  const answer = await invoke(deployed, ...post(JSON.stringify({ point })));
  assert.equal(answer.failure, undefined, JSON.stringify(answer.failure));
  const guestKey = await webcrypto.subtle.importKey("raw", Buffer.from(answer.json.point, "hex"), ecdh, true, []);
  assert.equal(answer.json.bits, hex(await webcrypto.subtle.deriveBits({ name: "ECDH", public: guestKey }, pair.privateKey, 256)));
  assert.equal(answer.json.refused, "InvalidAccessError");
});

test("Secret keys travel as JWK", async () => {
  const deployed = await deploy(`export const handler = async () => {
    const key = await crypto.subtle.importKey("jwk", { kty: "oct", k: "AQID_-8", alg: "HS256" }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
    const aes = await crypto.subtle.importKey("raw", new Uint8Array(32), "AES-GCM", true, ["encrypt"]);
    return [await crypto.subtle.exportKey("jwk", key), await crypto.subtle.exportKey("jwk", aes)];
  }`);
  const [hmac, aes] = (await invoke(deployed)).json;
  assert.deepEqual(hmac, { kty: "oct", k: "AQID_-8", alg: "HS256", ext: true, key_ops: ["sign"] });
  assert.equal(aes.alg, "A256GCM");
});

for (const [what, call, message] of [
  ["A JWK of another type", `importKey("jwk", { kty: "RSA" }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])`, /DataError: The JWK is not of the type "oct"/],
  ["A JWK of another curve", `importKey("jwk", { kty: "EC", crv: "P-384", x: "", y: "" }, { name: "ECDSA", namedCurve: "P-256" }, true, [])`, /DataError: .*curve P-256/],
  ["A JWK with short coordinates", `importKey("jwk", { kty: "EC", crv: "P-256", x: "AA", y: "AA" }, { name: "ECDSA", namedCurve: "P-256" }, true, [])`, /DataError: .*wrong size/],
  ["Bytes that are no DER", `importKey("spki", new Uint8Array([48, 200, 1]), { name: "RSA-PSS", hash: "SHA-256" }, true, [])`, /DataError/],
  ["A length that lies", `importKey("pkcs8", new Uint8Array([48, 132, 255, 255, 255, 255]), { name: "RSA-PSS", hash: "SHA-256" }, true, [])`, /DataError/],
  ["An EC key as RSA", `importKey("spki", Uint8Array.fromHex("3059301306072a8648ce3d020106082a8648ce3d030107034200" + "04".repeat(65)), { name: "RSA-PSS", hash: "SHA-256" }, true, [])`, /DataError: The key is no RSA key/],
  ["A key that is no bytes", `importKey("spki", "text", { name: "RSA-PSS", hash: "SHA-256" }, true, [])`, /TypeError/],
]) {
  test(`${what} is refused`, async () => {
    const deployed = await deploy(`export const handler = () => crypto.subtle.${call}.then(() => "taken", (e) => e.name + ": " + e.message)`);
    assert.match((await invoke(deployed)).text, message);
  });
}

describe("jose and zod", () => {
  let guest;
  before(async () => {
    const { outputFiles } = await build({
      bundle: true, write: false, format: "esm", target: "es2023", conditions: ["workerd", "worker"],
      stdin: {
        resolveDir: fileURLToPath(new URL(".", import.meta.url)),
        contents: `
          import { SignJWT, jwtVerify, generateKeyPair, exportJWK, exportPKCS8, importPKCS8, createLocalJWKSet } from "jose";
          import { z } from "zod";
          const input = z.object({ name: z.string().min(1), age: z.number().int().optional() });
          const sign = (key, alg) => new SignJWT({ role: "user" }).setProtectedHeader({ alg, kid: "k" }).setSubject("u1").setExpirationTime("1h").sign(key);
          export async function handler({ body }) {
            const parsed = input.safeParse(body);
            if (!parsed.success) return { statusCode: 400, body: { issues: parsed.error.issues.map((issue) => issue.path.join(".")) } };
            const results = {};
            for (const alg of ["RS256", "PS256", "ES256", "ES384"]) {
              const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
              const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: "k", alg }] });
              const again = await importPKCS8(await exportPKCS8(privateKey), alg);
              results[alg] = (await jwtVerify(await sign(again, alg), keys)).payload.sub;
            }
            const secret = new TextEncoder().encode("a secret of thirty-two characters");
            results.HS256 = (await jwtVerify(await sign(secret, "HS256"), secret)).payload.role;
            results.forged = await jwtVerify((await sign(secret, "HS256")) + "x", secret).catch((error) => error.code);
            return results;
          }`,
      },
    });
    guest = await deploy(outputFiles[0].text);
  });

  test("jose signs and verifies with every kind of key", async () => {
    const answer = await invoke(guest, ...post('{"name":"Ada"}'));
    assert.equal(answer.failure, undefined, JSON.stringify(answer.failure));
    assert.deepEqual(answer.json, {
      RS256: "u1", PS256: "u1", ES256: "u1", ES384: "u1", HS256: "user", forged: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
    });
  });

  test("zod says what is wrong with the input", async () => {
    const answer = await invoke(guest, ...post('{"name":"","age":1.5}'));
    assert.deepEqual(answer.json, { issues: ["name", "age"] });
  });
});
