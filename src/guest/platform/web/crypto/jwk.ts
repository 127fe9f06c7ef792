// JSON Web Keys (RFC 7517, 7518, 8037) to bare keys and back.
import { registered, type Algorithm } from "./algorithms";
import type { KeyAlgorithm, KeyUsage } from "./crypto-key";
import { encode, encodeInteger, integer, sequence, Tag } from "./der";
import { coordinateSize, point } from "./key-encodings";

export interface Jwk {
  kty?: string;
  use?: string;
  ext?: boolean;
  key_ops?: string[];
  alg?: string;
  crv?: string;
  k?: string;
  x?: string;
  y?: string;
  d?: string;
  n?: string;
  e?: string;
  [member: string]: unknown;
}

/** A bare key, and the format that would wrap it with its algorithm. */
export interface BareKey {
  format: "raw" | "spki" | "pkcs8";
  bytes: Uint8Array;
  /** The public point of a private key, if given. */
  point?: Uint8Array;
}

/** The numbers of an RSA private key, in PKCS #1's order. */
const rsaPrivateMembers = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];

function invalid(why: string): DOMException {
  return new DOMException(`The JWK ${why}.`, "DataError");
}

function bytesOf(jwk: Jwk, member: string): Uint8Array {
  const text = jwk[member];
  if (typeof text !== "string") throw invalid(`has no "${member}"`);
  try {
    return (Uint8Array.fromBase64 as Base64Url)(text, { alphabet: "base64url" });
  } catch {
    throw invalid(`has a malformed "${member}"`);
  }
}

type Base64Url = (text: string, options: { alphabet: "base64url" }) => Uint8Array;

function textOf(bytes: Uint8Array): string {
  return bytes.toBase64().replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bare key of a JWK for an algorithm; a DataError if its type or its use is another. */
export function fromJwk(jwk: Jwk, algorithm: Algorithm, extractable: boolean, usages: readonly KeyUsage[]): BareKey {
  const { family } = registered(algorithm.name);
  const expected = family === undefined ? "oct" : family === "RSA" || family === "EC" ? family : "OKP";
  if (typeof jwk !== "object" || jwk === null || jwk.kty !== expected) throw invalid(`is not of the type "${expected}"`);
  checkPurpose(jwk, algorithm, extractable, usages);
  if (family === undefined) return { format: "raw", bytes: bytesOf(jwk, "k") };
  if (family === "RSA") return rsaKey(jwk);
  const curve = family === "EC" ? algorithm.namedCurve! : family;
  if (jwk.crv !== curve) throw invalid(`is not of the curve ${curve}`);
  const publicKey = family === "EC" ? ecPoint(jwk, curve) : bytesOf(jwk, "x");
  if (jwk.d === undefined) return { format: "spki", bytes: publicKey };
  const scalar = bytesOf(jwk, "d");
  if (scalar.length !== (coordinateSize[curve] ?? 32)) throw invalid("has a private key of a wrong size");
  return { format: "pkcs8", bytes: scalar, point: publicKey };
}

function ecPoint(jwk: Jwk, curve: string): Uint8Array {
  const [x, y] = [bytesOf(jwk, "x"), bytesOf(jwk, "y")];
  if (x.length !== coordinateSize[curve] || y.length !== coordinateSize[curve]) throw invalid("has coordinates of a wrong size");
  return point(x, y);
}

function checkPurpose(jwk: Jwk, algorithm: Algorithm, extractable: boolean, usages: readonly KeyUsage[]): void {
  if (jwk.ext === false && extractable) throw invalid("is not extractable");
  const operations = jwk.key_ops;
  if (operations !== undefined && !(Array.isArray(operations) && usages.every((usage) => operations.includes(usage)))) {
    throw invalid("is not for these usages");
  }
  const purpose = usages.some((usage) => usage === "sign" || usage === "verify") ? "sig" : "enc";
  if (jwk.use !== undefined && usages.length > 0 && jwk.use !== purpose) throw invalid(`is for "${jwk.use}", not for "${purpose}"`);
  const { alg } = jwk;
  const wanted = algorithmName(algorithm);
  if (alg !== undefined && wanted !== undefined && alg !== wanted) throw invalid(`is for ${alg}, not for ${wanted}`);
}

/** The JWK name of an algorithm without its key; undefined for AES, whose names contain the key's length. */
function algorithmName(algorithm: Algorithm): string | undefined {
  if (algorithm.name === "HMAC") return `HS${digestSize(algorithm)}`;
  return registered(algorithm.name).family === "RSA" ? rsaAlgorithm(algorithm) : undefined;
}

function rsaKey(jwk: Jwk): BareKey {
  const number = (member: string) => encodeInteger(bytesOf(jwk, member));
  if (jwk.d === undefined) return { format: "spki", bytes: encode(Tag.sequence, number("n"), number("e")) };
  const version = encodeInteger(Uint8Array.of(0));
  return { format: "pkcs8", bytes: encode(Tag.sequence, version, ...rsaPrivateMembers.map(number)) };
}

/** The members of a JWK that hold a secret key. */
export function secretJwk(bytes: Uint8Array, algorithm: KeyAlgorithm): Jwk {
  const jwk: Jwk = { kty: "oct", k: textOf(bytes) };
  const mode = /^AES-(\w+)$/.exec(algorithm.name)?.[1];
  if (algorithm.name === "HMAC") jwk.alg = `HS${digestSize(algorithm)}`;
  else if (mode !== undefined) jwk.alg = `A${bytes.length * 8}${mode}`;
  return jwk;
}

function digestSize({ hash }: { hash?: { name: string } }): string {
  return hash?.name.replace("SHA-", "") ?? "";
}

/** The members that hold an RSA key, from PKCS #1. */
export function rsaJwk(bytes: Uint8Array, algorithm: KeyAlgorithm, isPrivate: boolean): Jwk {
  const numbers = sequence(bytes);
  const members = isPrivate ? rsaPrivateMembers : ["n", "e"];
  const jwk: Jwk = { kty: "RSA", alg: rsaAlgorithm(algorithm) };
  // A private key starts with its version.
  members.forEach((member, i) => (jwk[member] = textOf(integer(numbers[isPrivate ? i + 1 : i]))));
  return jwk;
}

function rsaAlgorithm(algorithm: { name: string; hash?: { name: string } }): string {
  const size = digestSize(algorithm);
  if (algorithm.name === "RSA-OAEP") return size === "1" ? "RSA-OAEP" : `RSA-OAEP-${size}`;
  return (algorithm.name === "RSA-PSS" ? "PS" : "RS") + size;
}

/** The members that hold a curve's key: its point, and the scalar of a private one. */
export function curveJwk(publicKey: Uint8Array, scalar: Uint8Array | undefined, algorithm: KeyAlgorithm): Jwk {
  const curve = algorithm.namedCurve;
  const jwk: Jwk = { kty: curve === undefined ? "OKP" : "EC", crv: curve ?? algorithm.name };
  if (curve === undefined) {
    jwk.x = textOf(publicKey);
    if (algorithm.name === "Ed25519") jwk.alg = "Ed25519";
  } else {
    const size = coordinateSize[curve]!;
    jwk.x = textOf(publicKey.subarray(1, 1 + size));
    jwk.y = textOf(publicKey.subarray(1 + size));
  }
  if (scalar !== undefined) jwk.d = textOf(scalar);
  return jwk;
}
