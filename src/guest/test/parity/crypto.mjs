// crypto.subtle: published vectors, and the same keys and data as in Node.js.
import { collect, hex, unhex, utf8 } from "./collect.mjs";

const { subtle } = crypto;
const data = utf8("The quick brown fox jumps over the lazy dog");
const long = new Uint8Array(200_000).map((_, i) => i);
const bytes = (count, seed = 1) => new Uint8Array(count).map((_, i) => i * 7 + seed);
const cases = {};

for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) {
  cases[`digest ${hash}`] = async () => [await subtle.digest(hash, data), await subtle.digest({ name: hash.toLowerCase() }, new Uint8Array()), await subtle.digest(hash, long)];
  cases[`HMAC ${hash}`] = async () => {
    const key = await subtle.importKey("raw", bytes(40), { name: "HMAC", hash }, true, ["sign", "verify"]);
    const mac = await subtle.sign("HMAC", key, data);
    const forged = new Uint8Array(mac).map((byte, i) => (i === 0 ? byte ^ 1 : byte));
    return [mac, await subtle.verify("hmac", key, mac, data), await subtle.verify("HMAC", key, forged, data), await subtle.verify("HMAC", key, mac.slice(1), data), await subtle.exportKey("jwk", key), key.algorithm];
  };
  cases[`HKDF ${hash}`] = async () => {
    const key = await subtle.importKey("raw", bytes(22), "HKDF", false, ["deriveBits", "deriveKey"]);
    const parameters = { name: "HKDF", hash, salt: bytes(13), info: bytes(10) };
    const derived = await subtle.deriveKey(parameters, key, { name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    const hmac = await subtle.deriveKey(parameters, key, { name: "HMAC", hash }, true, ["sign"]);
    return [await subtle.deriveBits(parameters, key, 336), await subtle.exportKey("raw", derived), await subtle.exportKey("raw", hmac)];
  };
  cases[`PBKDF2 ${hash}`] = async () => {
    const key = await subtle.importKey("raw", utf8("password"), "PBKDF2", false, ["deriveBits"]);
    return subtle.deriveBits({ name: "PBKDF2", hash, salt: utf8("salt"), iterations: 1000 }, key, 256);
  };
}

// RFC 5869 A.1, RFC 6070 (2), RFC 4231 (2), RFC 3394 4.6, NIST SP 800-38A F.5.1, GCM specification test case 4.
cases["HKDF of RFC 5869"] = async () => {
  const key = await subtle.importKey("raw", new Uint8Array(22).fill(0x0b), "HKDF", false, ["deriveBits"]);
  const derived = hex(await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: unhex("000102030405060708090a0b0c"), info: unhex("f0f1f2f3f4f5f6f7f8f9") }, key, 336));
  return derived === "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
};
cases["PBKDF2 of RFC 6070"] = async () => {
  const key = await subtle.importKey("raw", utf8("password"), "PBKDF2", false, ["deriveBits"]);
  return hex(await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: utf8("salt"), iterations: 4096 }, key, 160)) === "4b007901b765489abead49d926f721d065a429c1";
};
cases["HMAC of RFC 4231"] = async () => {
  const key = await subtle.importKey("raw", utf8("Jefe"), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return hex(await subtle.sign("HMAC", key, utf8("what do ya want for nothing?"))) === "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
};
cases["AES-KW of RFC 3394"] = async () => {
  const wrapper = await subtle.importKey("raw", unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), "AES-KW", false, ["wrapKey", "unwrapKey"]);
  const key = await subtle.importKey("raw", unhex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"), "AES-GCM", true, ["encrypt"]);
  const wrapped = await subtle.wrapKey("raw", key, wrapper, "AES-KW");
  const again = await subtle.unwrapKey("raw", wrapped, wrapper, "AES-KW", "AES-GCM", true, ["encrypt"]);
  const forged = new Uint8Array(wrapped).fill(1, 0, 1);
  return [hex(wrapped) === "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21", await subtle.exportKey("raw", again),
    await subtle.unwrapKey("raw", forged, wrapper, "AES-KW", "AES-GCM", true, ["encrypt"]).catch((error) => error.name)];
};
cases["AES-CTR of SP 800-38A"] = async () => {
  const key = await subtle.importKey("raw", unhex("2b7e151628aed2a6abf7158809cf4f3c"), "AES-CTR", false, ["encrypt"]);
  const text = unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
  const encrypted = await subtle.encrypt({ name: "AES-CTR", counter: unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), length: 128 }, key, text);
  return hex(encrypted) === "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff";
};
cases["AES-GCM of its specification"] = async () => {
  const key = await subtle.importKey("raw", unhex("feffe9928665731c6d6a8f9467308308"), "AES-GCM", false, ["encrypt", "decrypt"]);
  const text = unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
  const parameters = { name: "AES-GCM", iv: unhex("cafebabefacedbaddecaf888"), additionalData: unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2") };
  const encrypted = await subtle.encrypt(parameters, key, text);
  return [hex(encrypted).endsWith("5bc94fbc3221a5db94fae95ae7121a47"), hex(await subtle.decrypt(parameters, key, encrypted)) === hex(text)];
};

for (const size of [128, 192, 256]) {
  for (const name of ["AES-CBC", "AES-GCM", "AES-CTR"]) {
    cases[`${name} ${size}`] = async () => {
      const key = await subtle.importKey("raw", bytes(size / 8), name, true, ["encrypt", "decrypt"]);
      const parameters = { name, iv: bytes(name === "AES-GCM" ? 12 : 16, 3), counter: new Uint8Array(16).fill(255), length: 64 };
      const all = [];
      for (const text of [data, new Uint8Array(), bytes(16), long]) {
        const encrypted = await subtle.encrypt(parameters, key, text);
        all.push(await subtle.digest("SHA-256", encrypted), hex(await subtle.decrypt(parameters, key, encrypted)) === hex(text));
      }
      return [...all, await subtle.exportKey("jwk", key)];
    };
  }
}
cases["AES-GCM with other vectors and tags"] = async () => {
  const key = await subtle.importKey("raw", bytes(16), "AES-GCM", false, ["encrypt", "decrypt"]);
  const all = [];
  for (const tagLength of [32, 64, 96, 104, 112, 120, 128]) all.push(await subtle.encrypt({ name: "AES-GCM", iv: bytes(12), tagLength, additionalData: data }, key, data));
  return all;
};
// Test cases 5 and 6 of the specification of GCM; Node.js refuses one of them.
cases["AES-GCM with short and long vectors"] = [async () => {
  const key = await subtle.importKey("raw", unhex("feffe9928665731c6d6a8f9467308308"), "AES-GCM", false, ["encrypt"]);
  const text = unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
  const tag = async (iv) => hex(await subtle.encrypt({ name: "AES-GCM", iv: unhex(iv), additionalData: unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2") }, key, text)).slice(-32);
  return [
    await tag("cafebabefacedbad"),
    await tag("9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b"),
  ];
}, ["3612d2e79e3b0785561be14aaca2fccb", "619cc5aefffe0bfa462af43c1699d050"]];
const failing = async (run) => run().then(() => "nothing", (error) => error.name);
cases["What was encrypted otherwise does not decrypt"] = async () => {
  const gcm = await subtle.importKey("raw", bytes(16), "AES-GCM", false, ["encrypt", "decrypt"]);
  const cbc = await subtle.importKey("raw", bytes(16), "AES-CBC", false, ["encrypt", "decrypt"]);
  const encrypted = new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv: bytes(12) }, gcm, data));
  return [
    await failing(() => subtle.decrypt({ name: "AES-GCM", iv: bytes(12) }, gcm, encrypted.map((byte, i) => (i === 3 ? byte ^ 1 : byte)))),
    await failing(() => subtle.decrypt({ name: "AES-GCM", iv: bytes(12, 2) }, gcm, encrypted)),
    await failing(() => subtle.decrypt({ name: "AES-GCM", iv: bytes(12), additionalData: data }, gcm, encrypted)),
    await failing(() => subtle.decrypt({ name: "AES-GCM", iv: bytes(12) }, gcm, encrypted.slice(0, 8))),
    await failing(() => subtle.decrypt({ name: "AES-CBC", iv: bytes(16) }, cbc, bytes(17))),
    await failing(() => subtle.decrypt({ name: "AES-CBC", iv: bytes(16) }, cbc, bytes(32))),
    await failing(() => subtle.encrypt({ name: "AES-CBC", iv: bytes(12) }, cbc, data)),
    await failing(() => subtle.encrypt({ name: "AES-GCM", iv: bytes(12), tagLength: 33 }, gcm, data)),
  ];
};

cases["What can't be is refused as the standard says"] = async () => {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await subtle.importKey("raw", bytes(32), hmac, false, ["sign"]);
  const ecdsa = { name: "ECDSA", namedCurve: "P-256" };
  return [
    await failing(() => subtle.digest("MD5", data)),
    await failing(() => subtle.digest("SHA-256", "text")),
    await failing(() => subtle.verify("HMAC", key, bytes(32), data)),
    await failing(() => subtle.importKey("raw", bytes(15), "AES-GCM", true, ["encrypt"])),
    await failing(() => subtle.importKey("raw", bytes(16), "AES-GCM", true, ["sign"])),
    await failing(() => subtle.importKey("raw", bytes(16), "AES-GCM", true, [])),
    await failing(() => subtle.importKey("raw", bytes(16), "AES-XYZ", true, [])),
    await failing(() => subtle.importKey("raw", bytes(16), "HKDF", true, ["deriveBits"])),
    await failing(() => subtle.importKey("raw", new Uint8Array(), hmac, true, ["sign"])),
    await failing(() => subtle.importKey("jwk", { kty: "RSA" }, hmac, true, ["sign"])),
    await failing(() => subtle.importKey("jwk", { kty: "oct", k: "AAAA", ext: false }, hmac, true, ["sign"])),
    await failing(() => subtle.importKey("jwk", { kty: "oct", k: "AAAA", key_ops: ["verify"] }, hmac, true, ["sign"])),
    await failing(() => subtle.importKey("jwk", { kty: "oct", k: "AAAA", alg: "HS512" }, hmac, true, ["sign"])),
    await failing(() => subtle.importKey("jwk", { kty: "EC", crv: "P-384", x: "AA", y: "AA" }, ecdsa, true, ["verify"])),
    await failing(() => subtle.importKey("jwk", { kty: "EC", crv: "P-256", x: "AA", y: "AA" }, ecdsa, true, ["verify"])),
    await failing(() => subtle.importKey("raw", new Uint8Array(65).fill(4), ecdsa, true, ["verify"])),
    await failing(() => subtle.importKey("spki", new Uint8Array([48, 200, 1]), ecdsa, true, ["verify"])),
    await failing(() => subtle.importKey("pkcs8", new Uint8Array([48, 132, 255, 255, 255, 255]), ecdsa, true, ["sign"])),
    await failing(() => subtle.generateKey({ name: "AES-GCM", length: 100 }, true, ["encrypt"])),
    await failing(() => subtle.generateKey({ name: "AES-GCM", length: 128 }, true, [])),
    await failing(() => subtle.generateKey(ecdsa, true, ["encrypt"])),
    await failing(() => subtle.generateKey({ name: "ECDSA", namedCurve: "P-1" }, true, ["sign"])),
    await failing(() => subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: bytes(1), info: bytes(1) }, key, 8)),
    (() => { try { new CryptoKey(); } catch (error) { return error.name; } })(),
    (() => { try { crypto.getRandomValues(new Float32Array(1)); } catch (error) { return error.name; } })(),
    (() => { try { crypto.getRandomValues(new Uint8Array(65_537)); } catch (error) { return error.name; } })(),
  ];
};

cases["A key that is not extractable stays where it is"] = [
  async () => failing(async () => subtle.exportKey("raw", await subtle.importKey("raw", bytes(16), "AES-GCM", false, ["encrypt"]))),
  "InvalidAccessError",
];

cases["Generated keys are as asked for"] = async () => {
  const all = [];
  for (const [algorithm, usages] of [
    [{ name: "HMAC", hash: "SHA-512" }, ["sign"]], [{ name: "HMAC", hash: "SHA-256", length: 104 }, ["verify", "sign"]],
    [{ name: "AES-CTR", length: 192 }, ["unwrapKey", "encrypt"]], [{ name: "AES-KW", length: 256 }, ["wrapKey"]],
    [{ name: "ECDSA", namedCurve: "P-384" }, ["sign", "verify"]], [{ name: "ECDH", namedCurve: "P-521" }, ["deriveBits"]],
    [{ name: "Ed25519" }, ["sign", "verify"]], [{ name: "X25519" }, ["deriveKey"]],
    [{ name: "RSA-OAEP", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }, ["encrypt", "decrypt", "wrapKey"]],
  ]) {
    const made = await subtle.generateKey(algorithm, false, usages);
    for (const key of made.publicKey ? [made.publicKey, made.privateKey] : [made]) {
      const { publicExponent, ...description } = key.algorithm;
      all.push([key.type, key.extractable, description, key.usages.toSorted(), publicExponent ? hex(publicExponent) : "", Object.prototype.toString.call(key)]);
    }
  }
  return all;
};

cases["Keys are wrapped in every format"] = async () => {
  const wrapper = await subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["wrapKey", "unwrapKey"]);
  const parameters = { name: "AES-GCM", iv: bytes(12) };
  const pair = await subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const signature = await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, data);
  const all = [];
  for (const [format, key, usages] of [["pkcs8", pair.privateKey, ["sign"]], ["spki", pair.publicKey, ["verify"]], ["jwk", pair.privateKey, ["sign"]], ["raw", pair.publicKey, ["verify"]]]) {
    const wrapped = await subtle.wrapKey(format, key, wrapper, parameters);
    const again = await subtle.unwrapKey(format, wrapped, wrapper, parameters, { name: "ECDSA", namedCurve: "P-256" }, true, usages);
    all.push(again.type === "private"
      ? await subtle.verify({ name: "ECDSA", hash: "SHA-256" }, pair.publicKey, await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, again, data), data)
      : await subtle.verify({ name: "ECDSA", hash: "SHA-256" }, again, signature, data));
  }
  return all;
};

export const results = () => collect(cases);
