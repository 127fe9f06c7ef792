// SubtleCrypto (Web Cryptography, 14). Parameters are read, and arrays copied, before the first await.
import { copyBytes, bytesOf } from "../buffers";
import { decodeUtf8, encodeUtf8 } from "../../intrinsics";
import { checkUsages, normalize, normalizeHash, registered, type Algorithm, type AlgorithmIdentifier } from "./algorithms";
import { compute } from "./compute";
import { isKey, usageOrder, type CryptoKey, type KeyUsage } from "./crypto-key";
import type { Jwk } from "./jwk";
import { exportPair, generatePair, importPair } from "./key-pairs";
import { crypt, derive, sign, verify, wrap } from "./operations";
import { exportSecret, generateSecret, importSecret, keyBits } from "./secret-keys";

type KeyFormat = "raw" | "spki" | "pkcs8" | "jwk";
interface CryptoKeyPair {
  publicKey: CryptoKey;
  privateKey: CryptoKey;
}

/** Throws unless the key belongs to the algorithm and allows the usage. */
function checkKey(key: CryptoKey, algorithm: Algorithm, usage: KeyUsage): void {
  if (!isKey(key)) throw new TypeError("The key is not a CryptoKey.");
  if (key.algorithm.name !== algorithm.name) {
    throw new DOMException(`The key is of ${key.algorithm.name}, not of ${algorithm.name}.`, "InvalidAccessError");
  }
  if (!key.usages.includes(usage)) throw new DOMException(`The key can't be used for ${usage}.`, "InvalidAccessError");
}

function checkedUsages(usages: Iterable<KeyUsage>): KeyUsage[] {
  const list = [...usages];
  const unknown = list.find((usage) => !usageOrder.includes(usage));
  if (unknown !== undefined) throw new TypeError(`"${String(unknown)}" is not a key usage.`);
  return list;
}

async function importAny(
  format: KeyFormat, data: unknown, algorithm: Algorithm, extractable: boolean, usages: readonly KeyUsage[],
): Promise<CryptoKey> {
  return registered(algorithm.name).family === undefined
    ? importSecret(format, data, algorithm, extractable, usages)
    : await importPair(format, data, algorithm, extractable, usages);
}

async function exportAny(format: KeyFormat, key: CryptoKey): Promise<ArrayBuffer | Jwk> {
  if (!isKey(key)) throw new TypeError("The key is not a CryptoKey.");
  const exported = key.type === "secret" ? exportSecret(format, key) : await exportPair(format, key);
  if (!key.extractable) throw new DOMException("The key is not extractable.", "InvalidAccessError");
  return format === "jwk" ? { ...(exported as Jwk), key_ops: key.usages, ext: key.extractable } : exported;
}

const creation = Symbol("the SubtleCrypto");

export class SubtleCrypto {
  constructor(token?: symbol) {
    if (token !== creation) throw new TypeError("Illegal constructor: use crypto.subtle.");
  }

  async digest(algorithm: AlgorithmIdentifier, data: unknown): Promise<ArrayBuffer> {
    const hash = normalizeHash(algorithm);
    return (await compute("digest", { hash: hash.name }, copyBytes(data, "The data"))).buffer;
  }

  async encrypt(algorithm: AlgorithmIdentifier, key: CryptoKey, data: unknown): Promise<ArrayBuffer> {
    const normalized = normalize(algorithm);
    const bytes = copyBytes(data, "The data");
    checkKey(key, normalized, "encrypt");
    return (await crypt(normalized, key, bytes, true)).buffer;
  }

  async decrypt(algorithm: AlgorithmIdentifier, key: CryptoKey, data: unknown): Promise<ArrayBuffer> {
    const normalized = normalize(algorithm);
    const bytes = copyBytes(data, "The data");
    checkKey(key, normalized, "decrypt");
    return (await crypt(normalized, key, bytes, false)).buffer;
  }

  async sign(algorithm: AlgorithmIdentifier, key: CryptoKey, data: unknown): Promise<ArrayBuffer> {
    const normalized = normalize(algorithm);
    const bytes = copyBytes(data, "The data");
    checkKey(key, normalized, "sign");
    return (await sign(normalized, key, bytes)).buffer;
  }

  async verify(algorithm: AlgorithmIdentifier, key: CryptoKey, signature: unknown, data: unknown): Promise<boolean> {
    const normalized = normalize(algorithm);
    const [signatureBytes, bytes] = [copyBytes(signature, "The signature"), copyBytes(data, "The data")];
    checkKey(key, normalized, "verify");
    return await verify(normalized, key, signatureBytes, bytes);
  }

  async deriveBits(algorithm: AlgorithmIdentifier, key: CryptoKey, length: number | null = null): Promise<ArrayBuffer> {
    const normalized = normalize(algorithm);
    checkKey(key, normalized, "deriveBits");
    return (await derive(normalized, key, length === null ? null : Number(length))).buffer;
  }

  async deriveKey(
    algorithm: AlgorithmIdentifier, key: CryptoKey, derived: AlgorithmIdentifier, extractable: boolean, keyUsages: Iterable<KeyUsage>,
  ): Promise<CryptoKey> {
    const [normalized, wanted, usages] = [normalize(algorithm), normalize(derived), checkedUsages(keyUsages)];
    checkKey(key, normalized, "deriveKey");
    checkUsages(wanted.name, false, usages);
    const bits = await derive(normalized, key, keyBits(wanted, true));
    return importSecret("raw", bits, wanted, Boolean(extractable), usages);
  }

  async generateKey(
    algorithm: AlgorithmIdentifier,
    extractable: boolean,
    keyUsages: Iterable<KeyUsage>,
  ): Promise<CryptoKey | CryptoKeyPair> {
    const [normalized, usages] = [normalize(algorithm), checkedUsages(keyUsages)];
    return registered(normalized.name).family === undefined
      ? generateSecret(normalized, Boolean(extractable), usages)
      : await generatePair(normalized, Boolean(extractable), usages);
  }

  async importKey(
    format: KeyFormat, data: unknown, algorithm: AlgorithmIdentifier, extractable: boolean, keyUsages: Iterable<KeyUsage>,
  ): Promise<CryptoKey> {
    return await importAny(format, data, normalize(algorithm), Boolean(extractable), checkedUsages(keyUsages));
  }

  async exportKey(format: KeyFormat, key: CryptoKey): Promise<ArrayBuffer | Jwk> {
    return await exportAny(format, key);
  }

  async wrapKey(format: KeyFormat, key: CryptoKey, wrappingKey: CryptoKey, algorithm: AlgorithmIdentifier): Promise<ArrayBuffer> {
    const normalized = normalize(algorithm);
    checkKey(wrappingKey, normalized, "wrapKey");
    const exported = await exportAny(format, key);
    const bytes = exported instanceof ArrayBuffer ? new Uint8Array(exported) : encodeUtf8(JSON.stringify(exported));
    return (await wrap(normalized, wrappingKey, bytes, true)).buffer;
  }

  async unwrapKey(
    format: KeyFormat, wrapped: unknown, unwrappingKey: CryptoKey, algorithm: AlgorithmIdentifier,
    keyAlgorithm: AlgorithmIdentifier, extractable: boolean, keyUsages: Iterable<KeyUsage>,
  ): Promise<CryptoKey> {
    const [normalized, wanted, usages] = [normalize(algorithm), normalize(keyAlgorithm), checkedUsages(keyUsages)];
    const wrappedBytes = copyBytes(wrapped, "The wrapped key");
    checkKey(unwrappingKey, normalized, "unwrapKey");
    const bytes = await wrap(normalized, unwrappingKey, wrappedBytes, false);
    return await importAny(format, format === "jwk" ? readJwk(bytes) : bytes, wanted, Boolean(extractable), usages);
  }

  /** Compares two arrays in a time that does not depend on where they differ. An extension of Workers to the standard. */
  timingSafeEqual(a: unknown, b: unknown): boolean {
    const [left, right] = [bytesOf(a, "The first argument"), bytesOf(b, "The second argument")];
    if (left.length !== right.length) throw new TypeError("The arrays must have the same length.");
    let difference = 0;
    for (let i = 0; i < left.length; i++) difference |= left[i]! ^ right[i]!;
    return difference === 0;
  }

  get [Symbol.toStringTag](): string {
    return "SubtleCrypto";
  }
}

function readJwk(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(bytes));
  } catch {
    throw new DOMException("The unwrapped key is no JWK.", "DataError");
  }
}

export const subtle = new SubtleCrypto(creation);
