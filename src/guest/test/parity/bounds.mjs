// What a hostile function asks of the host's processors and memory: refused at once, or done within stated bounds.
import { collect, utf8 } from "./collect.mjs";

const { subtle } = crypto;
const password = () => subtle.importKey("raw", utf8("password"), "PBKDF2", false, ["deriveBits"]);
const derive = async (parameters, bits) => subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: utf8("salt"), ...parameters }, await password(), bits);
const rsa = (modulusLength, publicExponent) => subtle.generateKey({ name: "RSA-PSS", hash: "SHA-256", modulusLength, publicExponent }, true, ["sign", "verify"]);
const f4 = new Uint8Array([1, 0, 1]);

const cases = {
  "PBKDF2 with 2^31 iterations": [() => derive({ iterations: 2 ** 31 }, 256), "throws NotSupportedError"],
  "PBKDF2 with too many iterations over all blocks": [() => derive({ iterations: 100_000 }, 256 * 20), "throws NotSupportedError"],
  "PBKDF2 without iterations": [() => derive({ iterations: 0 }, 256), "throws OperationError"],
  "PBKDF2 of a gigabyte": [() => derive({ iterations: 1 }, 2 ** 33), "throws OperationError"],
  "RSA of 65536 bits": [() => rsa(65_536, f4), "throws OperationError"],
  "RSA of 16 bits": [() => rsa(16, f4), "throws OperationError"],
  "RSA with an even exponent": [() => rsa(2048, new Uint8Array([4])), "throws OperationError"],
  "RSA with an endless exponent": [() => rsa(2048, new Uint8Array(256).fill(255)), "throws OperationError"],
  "HKDF beyond its length": [async () => {
    const key = await subtle.importKey("raw", utf8("key"), "HKDF", false, ["deriveBits"]);
    return subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: utf8(""), info: utf8("") }, key, 8 * (255 * 32 + 1));
  }, "throws OperationError"],
  "An HMAC key of a gigabyte": [() => subtle.generateKey({ name: "HMAC", hash: "SHA-256", length: 2 ** 32 - 1 }, true, ["sign"]), "throws OperationError"],
  "Many keys at once are made one after the other": [async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"])));
    return made.length;
  }, 20],
};

export const results = () => collect(cases);
