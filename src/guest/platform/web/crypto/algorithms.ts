// Algorithm identifiers and their parameters (Web Cryptography, 18.4): names are case-insensitive, members are checked and copied.
import { bytesOf, copyBytes } from "../buffers";
import type { CryptoKey, KeyUsage } from "./crypto-key";

/** An algorithm, with the members that its operation reads. */
export interface Algorithm {
  name: string;
  hash?: { name: string };
  length?: number;
  namedCurve?: string;
  iv?: Uint8Array<ArrayBuffer>;
  counter?: Uint8Array<ArrayBuffer>;
  additionalData?: Uint8Array<ArrayBuffer>;
  label?: Uint8Array<ArrayBuffer>;
  salt?: Uint8Array<ArrayBuffer>;
  info?: Uint8Array<ArrayBuffer>;
  tagLength?: number;
  saltLength?: number;
  iterations?: number;
  modulusLength?: number;
  publicExponent?: Uint8Array<ArrayBuffer>;
  public?: CryptoKey;
}

export type AlgorithmIdentifier = string | { name: string };

export type KeyFamily = "RSA" | "EC" | "Ed25519" | "X25519";

interface Registered {
  /** The family of its key pairs; none for secret keys. */
  family?: KeyFamily;
  /** The usages of secret or private keys, and of public keys. */
  usages: readonly KeyUsage[];
  publicUsages?: readonly KeyUsage[];
}

const cipher: readonly KeyUsage[] = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];
const derivation: readonly KeyUsage[] = ["deriveKey", "deriveBits"];
const signing = { usages: ["sign"], publicUsages: ["verify"] } as const;

const registry: Record<string, Registered> = {
  HMAC: { usages: ["sign", "verify"] },
  "AES-CBC": { usages: cipher },
  "AES-CTR": { usages: cipher },
  "AES-GCM": { usages: cipher },
  "AES-KW": { usages: ["wrapKey", "unwrapKey"] },
  HKDF: { usages: derivation },
  PBKDF2: { usages: derivation },
  "RSASSA-PKCS1-v1_5": { family: "RSA", ...signing },
  "RSA-PSS": { family: "RSA", ...signing },
  "RSA-OAEP": { family: "RSA", usages: ["decrypt", "unwrapKey"], publicUsages: ["encrypt", "wrapKey"] },
  ECDSA: { family: "EC", ...signing },
  ECDH: { family: "EC", usages: derivation, publicUsages: [] },
  Ed25519: { family: "Ed25519", ...signing },
  X25519: { family: "X25519", usages: derivation, publicUsages: [] },
};

const byLowerCase = new Map(Object.keys(registry).map((name) => [name.toLowerCase(), name]));

/** Digests by name, with the size of their blocks in bytes. */
const blockSizes: Record<string, number> = { "SHA-1": 64, "SHA-256": 64, "SHA-384": 128, "SHA-512": 128 };

export function registered(name: string): Registered {
  return registry[name]!;
}

export function notSupported(what: string): DOMException {
  return new DOMException(`${what} is not supported.`, "NotSupportedError");
}

function nameOf(identifier: unknown): string {
  if (typeof identifier === "string") return identifier;
  const name = (identifier as { name?: unknown } | null | undefined)?.name;
  if (name === undefined) throw new TypeError("An algorithm must be a name, or an object with a name.");
  return String(name);
}

/** The digest of an identifier, under its standard name. */
export function normalizeHash(identifier: unknown): { name: string } {
  if (identifier === undefined) throw new TypeError("The algorithm needs a hash.");
  const name = nameOf(identifier).toUpperCase();
  if (!Object.hasOwn(blockSizes, name)) throw notSupported(`The digest ${name}`);
  return { name };
}

/** The size of a digest's block in bits: the default length of an HMAC key. */
export function blockBits(hash: { name: string }): number {
  return blockSizes[hash.name]! * 8;
}

/** A whole number of an unsigned type (Web IDL, EnforceRange); undefined if it is missing. */
function whole(value: unknown, what: string, most: number): number | undefined {
  if (value === undefined) return undefined;
  const number = Math.trunc(Number(value));
  if (!(number >= 0 && number <= most)) throw new TypeError(`${what} must be a whole number from 0 to ${most}.`);
  return number;
}

const octet = 255;
const short = 65_535;
const long = 4_294_967_295;

/** An identifier's algorithm, with all its members. */
export function normalize(identifier: unknown): Algorithm {
  const name = byLowerCase.get(nameOf(identifier).toLowerCase());
  if (name === undefined) throw notSupported(`The algorithm ${nameOf(identifier)}`);
  const algorithm: Algorithm = { name };
  if (typeof identifier !== "object") return algorithm;
  const given = identifier as Record<string, unknown>;
  for (const member of ["iv", "counter", "additionalData", "label", "salt", "info"] as const) {
    if (given[member] !== undefined) algorithm[member] = copyBytes(given[member], member);
  }
  if (given.hash !== undefined) algorithm.hash = normalizeHash(given.hash);
  if (given.namedCurve !== undefined) algorithm.namedCurve = String(given.namedCurve);
  if (given.public !== undefined) algorithm.public = given.public as CryptoKey;
  if (given.publicExponent !== undefined) algorithm.publicExponent = bytesOf(given.publicExponent, "publicExponent").slice();
  assignNumber(algorithm, "length", given.length, name === "AES-CTR" ? octet : name === "HMAC" ? long : short);
  assignNumber(algorithm, "tagLength", given.tagLength, octet);
  assignNumber(algorithm, "saltLength", given.saltLength, long);
  assignNumber(algorithm, "iterations", given.iterations, long);
  assignNumber(algorithm, "modulusLength", given.modulusLength, long);
  return algorithm;
}

type NumberMember = "length" | "tagLength" | "saltLength" | "iterations" | "modulusLength";

function assignNumber(algorithm: Algorithm, member: NumberMember, value: unknown, most: number): void {
  const number = whole(value, member, most);
  if (number !== undefined) algorithm[member] = number;
}

/** A member that an algorithm must have. */
export function required<K extends keyof Algorithm>(algorithm: Algorithm, member: K): NonNullable<Algorithm[K]> {
  const value = algorithm[member];
  if (value === undefined || value === null) throw new TypeError(`${algorithm.name} needs the member "${member}".`);
  return value as NonNullable<Algorithm[K]>;
}

/** Throws a SyntaxError if keys of the algorithm don't support one of the usages. */
export function checkUsages(name: string, isPublic: boolean, usages: readonly KeyUsage[]): void {
  const { usages: own, publicUsages } = registered(name);
  const allowed = isPublic ? publicUsages! : own;
  for (const usage of usages) {
    if (allowed.includes(usage)) continue;
    throw new DOMException(`A ${isPublic ? "public " : ""}key of ${name} can't be used for ${String(usage)}.`, "SyntaxError");
  }
}

/** Throws a SyntaxError for a secret or private key without usages. */
export function checkUseful(usages: readonly KeyUsage[]): void {
  if (usages.length === 0) throw new DOMException("A secret or private key must be of use for something.", "SyntaxError");
}
