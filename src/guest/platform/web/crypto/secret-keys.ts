// Keys that are plain bytes: of HMAC and AES, and the material of HKDF and PBKDF2.
import { copyBytes } from "../buffers";
import { blockBits, checkUseful, checkUsages, notSupported, required, type Algorithm } from "./algorithms";
import { materialOf, newKey, type CryptoKey, type KeyAlgorithm, type KeyUsage } from "./crypto-key";
import { fromJwk, secretJwk, type Jwk } from "./jwk";

const isAes = (name: string) => name.startsWith("AES-");
const isDerivation = (name: string) => name === "HKDF" || name === "PBKDF2";

/** Imports a key from bytes or a JWK. */
export function importSecret(
  format: string, data: unknown, algorithm: Algorithm, extractable: boolean, usages: readonly KeyUsage[],
): CryptoKey {
  const { name } = algorithm;
  if (format !== "raw" && (format !== "jwk" || isDerivation(name))) throw notSupported(`A key of ${name} as ${format}`);
  checkUsages(name, false, usages);
  if (name === "HMAC") required(algorithm, "hash");
  if (isDerivation(name) && extractable) throw new DOMException(`A key of ${name} can't be extractable.`, "SyntaxError");
  const secret = format === "raw"
    ? copyBytes(data, "The key")
    : (fromJwk(data as Jwk, algorithm, extractable, usages).bytes as Uint8Array<ArrayBuffer>);
  const keyAlgorithm = describe(algorithm, secret.length * 8);
  if (format === "jwk") checkAesName(data as Jwk, secret, keyAlgorithm);
  checkUseful(usages);
  return newKey("secret", extractable, keyAlgorithm, usages, { secret: trim(secret, keyAlgorithm.length) });
}

/** A JWK's `alg` contains the key length of AES. */
function checkAesName(jwk: Jwk, secret: Uint8Array, algorithm: KeyAlgorithm): void {
  const expected = secretJwk(secret, algorithm).alg;
  if (jwk.alg !== undefined && expected !== undefined && jwk.alg !== expected) {
    throw new DOMException(`The JWK is for ${jwk.alg}, not for ${expected}.`, "DataError");
  }
}

function describe(algorithm: Algorithm, bits: number): KeyAlgorithm {
  const { name } = algorithm;
  if (isDerivation(name)) return { name };
  if (isAes(name)) {
    if (bits !== 128 && bits !== 192 && bits !== 256)
      throw new DOMException(`An AES key has 128, 192 or 256 bits, not ${bits}.`, "DataError");
    return { name, length: bits };
  }
  const length = algorithm.length ?? bits;
  if (bits === 0 || length === 0) throw new DOMException("An HMAC key can't be empty.", "DataError");
  if (length > bits || length <= bits - 8) throw new DOMException(`The key has ${bits} bits, not ${length}.`, "DataError");
  return { name, hash: algorithm.hash!, length };
}

/** Clears the bits beyond the length of a key whose length is no whole number of bytes. */
function trim(secret: Uint8Array<ArrayBuffer>, length: number | undefined): Uint8Array<ArrayBuffer> {
  const unused = length === undefined ? 0 : secret.length * 8 - length;
  if (unused > 0) secret[secret.length - 1]! &= 0xff << unused;
  return secret;
}

/** Generates a random key. */
export function generateSecret(algorithm: Algorithm, extractable: boolean, usages: readonly KeyUsage[]): CryptoKey {
  checkUsages(algorithm.name, false, usages);
  checkUseful(usages);
  const secret = new Uint8Array(Math.ceil(keyBits(algorithm) / 8));
  crypto.getRandomValues(secret);
  return importSecret("raw", secret, { ...algorithm, length: keyBits(algorithm) }, extractable, usages);
}

/** The length of a key of the algorithm in bits, for deriving one. Null if any length is valid. */
export function keyBits(algorithm: Algorithm): number;
export function keyBits(algorithm: Algorithm, orNull: true): number | null;
export function keyBits(algorithm: Algorithm, orNull?: true): number | null {
  const { name } = algorithm;
  if (orNull && isDerivation(name)) return null;
  if (isAes(name)) {
    const length = required(algorithm, "length");
    if (length === 128 || length === 192 || length === 256) return length;
    throw new DOMException("An AES key has 128, 192 or 256 bits.", "OperationError");
  }
  if (name !== "HMAC") throw notSupported(`A generated key of ${name}`);
  const length = algorithm.length ?? blockBits(required(algorithm, "hash"));
  if (length === 0) throw new DOMException("An HMAC key can't be empty.", "OperationError");
  if (length > 524_288) throw new DOMException("An HMAC key has at most 64 KB here.", "OperationError");
  return length;
}

export function exportSecret(format: string, key: CryptoKey): ArrayBuffer | Jwk {
  const secret = materialOf(key).secret!;
  if (format === "raw") return secret.slice().buffer;
  if (format === "jwk") return secretJwk(secret, key.algorithm);
  throw notSupported(`A secret key as ${format}`);
}
