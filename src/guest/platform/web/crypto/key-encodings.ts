// SubjectPublicKeyInfo (RFC 5280) and PKCS #8 (RFC 5958) around bare keys: for RSA the PKCS #1 structures (RFC 8017, A.1),
// for the curves the point and the scalar.
import { concat } from "../streams";
import type { KeyFamily } from "./algorithms";
import { contentOf, elements, encode, encodeInteger, sequence, Tag } from "./der";

const objectIds: Record<string, string> = {
  RSA: "2a864886f70d010101",
  EC: "2a8648ce3d0201",
  X25519: "2b656e",
  Ed25519: "2b6570",
  "P-256": "2a8648ce3d030107",
  "P-384": "2b81040022",
  "P-521": "2b81040023",
};

/** The length of a curve's coordinates and scalar, in bytes. */
export const coordinateSize: Record<string, number> = { "P-256": 32, "P-384": 48, "P-521": 66 };

function objectId(name: string): Uint8Array {
  return encode(Tag.oid, Uint8Array.fromHex(objectIds[name]!));
}

function algorithmIdentifier(family: KeyFamily, curve: string | undefined): Uint8Array {
  if (family === "RSA") return encode(Tag.sequence, objectId("RSA"), encode(Tag.null));
  return family === "EC" ? encode(Tag.sequence, objectId("EC"), objectId(curve!)) : encode(Tag.sequence, objectId(family));
}

function checkAlgorithm(identifier: Uint8Array, family: KeyFamily, curve: string | undefined): void {
  const [id, parameters] = elements(identifier);
  const isFamily = id !== undefined && contentOf(id, Tag.oid).toHex() === objectIds[family];
  if (!isFamily || (family === "EC" && contentOf(parameters, Tag.oid).toHex() !== objectIds[curve ?? ""])) {
    throw new DOMException(`The key is no ${curve ?? family} key.`, "DataError");
  }
}

/** The bare public key in a SubjectPublicKeyInfo. */
export function unwrapPublic(spki: Uint8Array, family: KeyFamily, curve: string | undefined): Uint8Array {
  const [identifier, key] = sequence(spki);
  checkAlgorithm(contentOf(identifier, Tag.sequence), family, curve);
  // The first byte of a bit string is the number of its unused bits: none.
  return contentOf(key, Tag.bitString).subarray(1);
}

export function wrapPublic(key: Uint8Array, family: KeyFamily, curve: string | undefined): Uint8Array {
  return encode(Tag.sequence, algorithmIdentifier(family, curve), encode(Tag.bitString, Uint8Array.of(0), key));
}

/** The bare private key in a PKCS #8 PrivateKeyInfo. */
export function unwrapPrivate(pkcs8: Uint8Array, family: KeyFamily, curve: string | undefined): Uint8Array {
  const [, identifier, key] = sequence(pkcs8);
  checkAlgorithm(contentOf(identifier, Tag.sequence), family, curve);
  const inner = contentOf(key, Tag.octetString);
  if (family === "RSA") return inner;
  if (family !== "EC") return contentOf(elements(inner)[0], Tag.octetString);
  const [, scalar] = sequence(inner);
  return contentOf(scalar, Tag.octetString);
}

export function wrapPrivate(key: Uint8Array, family: KeyFamily, curve: string | undefined): Uint8Array {
  const inner = family === "RSA" ? key : family === "EC" ? ecPrivateKey(key) : encode(Tag.octetString, key);
  const version = encodeInteger(Uint8Array.of(0));
  return encode(Tag.sequence, version, algorithmIdentifier(family, curve), encode(Tag.octetString, inner));
}

/** RFC 5915, 3, without the optional public key. */
function ecPrivateKey(scalar: Uint8Array): Uint8Array {
  return encode(Tag.sequence, encodeInteger(Uint8Array.of(1)), encode(Tag.octetString, scalar));
}

/** An uncompressed point. */
export function point(x: Uint8Array, y: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(4), x, y], 1 + x.length + y.length);
}
