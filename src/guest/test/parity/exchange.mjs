// Key pairs made on one side and used on the other. Without an argument, `results` makes keys, signatures and secrets; given what the
// other side made, it reads, verifies and decrypts them.
import { hex, unhex, utf8 } from "./collect.mjs";

const { subtle } = crypto;
const message = utf8("message");
const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };

const signatures = {
  "ECDSA P-256": [{ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }],
  "ECDSA P-384": [{ name: "ECDSA", namedCurve: "P-384" }, { name: "ECDSA", hash: "SHA-512" }],
  "ECDSA P-521": [{ name: "ECDSA", namedCurve: "P-521" }, { name: "ECDSA", hash: "SHA-1" }],
  Ed25519: [{ name: "Ed25519" }, { name: "Ed25519" }],
  "RSASSA-PKCS1-v1_5": [{ name: "RSASSA-PKCS1-v1_5", hash: "SHA-384", ...rsa }, { name: "RSASSA-PKCS1-v1_5" }],
  "RSA-PSS": [{ name: "RSA-PSS", hash: "SHA-256", ...rsa }, { name: "RSA-PSS", saltLength: 32 }],
  "RSA-PSS with a salt of 7": [{ name: "RSA-PSS", hash: "SHA-1", ...rsa }, { name: "RSA-PSS", saltLength: 7 }],
};
const agreements = { "ECDH P-256": { name: "ECDH", namedCurve: "P-256" }, "ECDH P-521": { name: "ECDH", namedCurve: "P-521" }, X25519: { name: "X25519" } };
const oaep = { name: "RSA-OAEP", hash: "SHA-256", ...rsa };

async function exported({ publicKey, privateKey }) {
  const formats = { spki: hex(await subtle.exportKey("spki", publicKey)), pkcs8: hex(await subtle.exportKey("pkcs8", privateKey)) };
  const jwk = await subtle.exportKey("jwk", privateKey);
  const { kty, crv, n, e, x, y, d, alg } = jwk;
  return { ...formats, jwk, members: { kty, crv, n, e, x, y, d, alg: alg ?? null }, publicJwk: await subtle.exportKey("jwk", publicKey) };
}

async function produce() {
  const made = {};
  for (const [name, [algorithm, signing]] of Object.entries(signatures)) {
    const pair = await subtle.generateKey(algorithm, true, ["sign", "verify"]);
    made[name] = { ...(await exported(pair)), signature: hex(await subtle.sign(signing, pair.privateKey, message)) };
  }
  for (const [name, algorithm] of Object.entries(agreements)) {
    const [mine, other] = [await subtle.generateKey(algorithm, true, ["deriveBits"]), await subtle.generateKey(algorithm, true, ["deriveBits"])];
    const secret = await subtle.deriveBits({ name: algorithm.name, public: other.publicKey }, mine.privateKey, 256);
    made[name] = { ...(await exported(mine)), other: hex(await subtle.exportKey("raw", other.publicKey)), secret: hex(secret) };
  }
  const pair = await subtle.generateKey(oaep, true, ["encrypt", "decrypt"]);
  const encrypt = async (label) => hex(await subtle.encrypt({ name: "RSA-OAEP", ...(label && { label }) }, pair.publicKey, message));
  made["RSA-OAEP"] = { ...(await exported(pair)), plain: await encrypt(), labelled: await encrypt(utf8("label")) };
  return made;
}

async function check(made) {
  const results = {};
  const pairOf = async (name, algorithm, privateUsages, publicUsages) => {
    const read = made[name];
    const fromDer = { publicKey: await subtle.importKey("spki", unhex(read.spki), algorithm, true, publicUsages), privateKey: await subtle.importKey("pkcs8", unhex(read.pkcs8), algorithm, true, privateUsages) };
    const { key_ops: _private, ...jwk } = read.jwk;
    const { key_ops: _public, ...publicJwk } = read.publicJwk;
    const fromJwk = { publicKey: await subtle.importKey("jwk", publicJwk, algorithm, true, publicUsages), privateKey: await subtle.importKey("jwk", jwk, algorithm, true, privateUsages) };
    const again = await exported(fromDer);
    const same = JSON.stringify([again.spki, again.pkcs8, again.members.x ?? again.members.n, again.members.d]) === JSON.stringify([read.spki, read.pkcs8, read.members.x ?? read.members.n, read.members.d]);
    return { fromDer, fromJwk, same };
  };
  for (const [name, [algorithm, signing]] of Object.entries(signatures)) {
    const { fromDer, fromJwk, same } = await pairOf(name, algorithm, ["sign"], ["verify"]);
    const signature = unhex(made[name].signature);
    const own = await subtle.sign(signing, fromJwk.privateKey, message);
    results[name] = [
      same, await subtle.verify(signing, fromDer.publicKey, signature, message), await subtle.verify(signing, fromJwk.publicKey, signature, message),
      await subtle.verify(signing, fromDer.publicKey, own, message), await subtle.verify(signing, fromDer.publicKey, signature, utf8("massage")),
      await subtle.verify(signing, fromDer.publicKey, signature.slice(0, -1), message), own.byteLength,
    ];
  }
  for (const [name, algorithm] of Object.entries(agreements)) {
    const { fromDer, fromJwk, same } = await pairOf(name, algorithm, ["deriveBits"], []);
    const other = await subtle.importKey("raw", unhex(made[name].other), algorithm, true, []);
    const secret = async (key) => hex(await subtle.deriveBits({ name: algorithm.name, public: other }, key, 256)) === made[name].secret;
    results[name] = [same, await secret(fromDer.privateKey), await secret(fromJwk.privateKey)];
  }
  const { fromDer, fromJwk, same } = await pairOf("RSA-OAEP", oaep, ["decrypt"], ["encrypt"]);
  const decrypt = async (data, label) => hex(await subtle.decrypt({ name: "RSA-OAEP", ...(label && { label }) }, fromDer.privateKey, unhex(data)).catch(() => utf8("refused")));
  const { plain, labelled } = made["RSA-OAEP"];
  results["RSA-OAEP"] = [same, fromJwk.privateKey.type, await decrypt(plain), await decrypt(labelled, utf8("label")), await decrypt(labelled)];
  return results;
}

export const results = (made) => (made && Object.keys(made).length > 0 ? check(made) : produce());
