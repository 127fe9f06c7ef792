// JSON Web Keys (RFC 7517, 7518) to the engine's bare keys and back.
import { encode, encodeInteger, integer, sequence, Tag } from "./der";
import { coordinateSize, familyOf, point } from "./key-encodings";

export interface Jwk {
  kty?: string;
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

/** A bare key and the engine's name for its format. */
export interface BareKey {
  format: "raw" | "spki" | "pkcs8";
  bytes: Uint8Array;
}

interface KeyAlgorithm {
  name: string;
  length?: number;
  namedCurve?: string;
  hash?: { name: string };
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

/** The bare key of a JWK for an algorithm; a DataError when it is of another kind. */
export function fromJwk(jwk: Jwk, algorithm: KeyAlgorithm): BareKey {
  const family = familyOf(algorithm.name);
  const expected = family === "X25519" ? "OKP" : (family ?? "oct");
  if (typeof jwk !== "object" || jwk === null || jwk.kty !== expected) throw invalid(`is not of the type "${expected}"`);
  if (family === undefined) return { format: "raw", bytes: bytesOf(jwk, "k") };
  if (family === "RSA") return rsaKey(jwk);
  const curve = family === "EC" ? algorithm.namedCurve! : "X25519";
  if (jwk.crv !== curve) throw invalid(`is not of the curve ${curve}`);
  if (jwk.d !== undefined) return { format: "pkcs8", bytes: bytesOf(jwk, "d") };
  if (family === "X25519") return { format: "spki", bytes: bytesOf(jwk, "x") };
  const [x, y] = [bytesOf(jwk, "x"), bytesOf(jwk, "y")];
  if (x.length !== coordinateSize[curve] || y.length !== coordinateSize[curve]) throw invalid("has coordinates of a wrong size");
  return { format: "spki", bytes: point(x, y) };
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

function digestSize({ hash }: KeyAlgorithm): string {
  return hash?.name.replace("SHA-", "") ?? "";
}

/** The members that hold an RSA key, from PKCS #1. */
export function rsaJwk(bytes: Uint8Array, algorithm: KeyAlgorithm, isPrivate: boolean): Jwk {
  const numbers = sequence(bytes);
  const members = isPrivate ? rsaPrivateMembers : ["n", "e"];
  const jwk: Jwk = { kty: "RSA", alg: rsaAlgorithm(algorithm) };
  // A private key begins with its version.
  members.forEach((member, i) => (jwk[member] = textOf(integer(numbers[isPrivate ? i + 1 : i]))));
  return jwk;
}

function rsaAlgorithm(algorithm: KeyAlgorithm): string {
  const size = digestSize(algorithm);
  if (algorithm.name === "RSA-OAEP") return size === "1" ? "RSA-OAEP" : `RSA-OAEP-${size}`;
  return (algorithm.name === "RSA-PSS" ? "PS" : "RS") + size;
}

/** The members that hold a curve's key: its point, and the scalar of a private one. */
export function curveJwk(publicKey: Uint8Array, scalar: Uint8Array | undefined, algorithm: KeyAlgorithm): Jwk {
  const curve = algorithm.namedCurve;
  const jwk: Jwk = { kty: curve === undefined ? "OKP" : "EC", crv: curve ?? "X25519" };
  if (curve === undefined) {
    jwk.x = textOf(publicKey);
  } else {
    const size = coordinateSize[curve]!;
    jwk.x = textOf(publicKey.subarray(1, 1 + size));
    jwk.y = textOf(publicKey.subarray(1 + size));
  }
  if (scalar !== undefined) jwk.d = textOf(scalar);
  return jwk;
}
