// Public and private keys. The guest keeps them as DER; the host checks, generates and completes them.
import { invocationIfAny } from "../../../invocation/current";
import { bytesOf, copyBytes } from "../buffers";
import { checkUseful, checkUsages, notSupported, registered, required, type Algorithm, type KeyFamily } from "./algorithms";
import { compute } from "./compute";
import { materialOf, newKey, type CryptoKey, type KeyAlgorithm, type KeyMaterial, type KeyUsage } from "./crypto-key";
import { integer, sequence } from "./der";
import { curveJwk, fromJwk, rsaJwk, type Jwk } from "./jwk";
import { coordinateSize, unwrapPrivate, unwrapPublic, wrapPrivate, wrapPublic } from "./key-encodings";

type Der = Uint8Array<ArrayBuffer>;

interface Encoded {
  der: Der;
  isPrivate: boolean;
  /** The public key in a JWK of a private key. */
  point?: Uint8Array;
}

/** The parameters of an algorithm for the host's operations on key pairs. */
export function pairParameters(algorithm: KeyAlgorithm | Algorithm): { family: KeyFamily; curve: string } {
  return { family: registered(algorithm.name).family!, curve: algorithm.namedCurve ?? "" };
}

/** Imports a key in any of its formats; a DataError if it is invalid. */
export async function importPair(
  format: string, data: unknown, algorithm: Algorithm, extractable: boolean, usages: readonly KeyUsage[],
): Promise<CryptoKey> {
  checkParameters(algorithm);
  const family = registered(algorithm.name).family!;
  const encoded = encode(format, data, algorithm, family, extractable, usages);
  checkUsages(algorithm.name, !encoded.isPrivate, usages);
  const bare = unwrap(encoded.der, encoded.isPrivate, family, algorithm.namedCurve);
  const material = await completed(encoded, algorithm);
  if (encoded.point && material.publicDer) checkPoint(encoded.point, material.publicDer, family, algorithm.namedCurve);
  if (encoded.isPrivate) checkUseful(usages);
  const type = encoded.isPrivate ? "private" : "public";
  return newKey(type, extractable, describe(algorithm, family, bare, encoded.isPrivate), usages, material);
}

function encode(
  format: string, data: unknown, algorithm: Algorithm, family: KeyFamily, extractable: boolean, usages: readonly KeyUsage[],
): Encoded {
  const curve = algorithm.namedCurve;
  switch (format) {
    case "spki":
    case "pkcs8":
      return { der: copyBytes(data, "The key"), isPrivate: format === "pkcs8" };
    case "raw": {
      if (family === "RSA") throw notSupported(`A key of ${algorithm.name} as raw`);
      const key = bytesOf(data, "The key");
      if (family !== "EC" && key.length !== 32) throw new DOMException("The key must have 32 bytes.", "DataError");
      return { der: wrapPublic(key, family, curve) as Der, isPrivate: false };
    }
    case "jwk": {
      const { format: bareFormat, bytes, point } = fromJwk(data as Jwk, algorithm, extractable, usages);
      const isPrivate = bareFormat === "pkcs8";
      const der = (isPrivate ? wrapPrivate(bytes, family, curve) : wrapPublic(bytes, family, curve)) as Der;
      return point === undefined ? { der, isPrivate } : { der, isPrivate, point };
    }
    default:
      throw notSupported(`A key of ${algorithm.name} as ${format}`);
  }
}

function checkParameters(algorithm: Algorithm): void {
  const { family } = registered(algorithm.name);
  if (family === "RSA") required(algorithm, "hash");
  if (family === "EC" && coordinateSize[required(algorithm, "namedCurve")] === undefined)
    throw notSupported(`The curve ${algorithm.namedCurve}`);
}

/** Both halves of a pair in canonical form, computed by the host. While the module loads, the given half is used as it is. */
async function completed({ der, isPrivate }: Encoded, algorithm: Algorithm | KeyAlgorithm): Promise<KeyMaterial> {
  if (invocationIfAny() === undefined) return isPrivate ? { privateDer: der } : { publicDer: der };
  const type = isPrivate ? "private" : "public";
  return readMaterial(await compute("pair.import", { ...pairParameters(algorithm), type }, der));
}

/** The length of the private key, the private key, the public key. */
function readMaterial(answer: Der): KeyMaterial {
  const length = new DataView(answer.buffer, answer.byteOffset).getInt32(0, true);
  const publicDer = answer.slice(4 + length);
  return length === 0 ? { publicDer } : { privateDer: answer.slice(4, 4 + length), publicDer };
}

function checkPoint(point: Uint8Array, publicDer: Uint8Array, family: KeyFamily, curve: string | undefined): void {
  const own = unwrapPublic(publicDer, family, curve);
  if (own.length !== point.length || own.some((byte, i) => byte !== point[i])) {
    throw new DOMException("The JWK's public and private keys are no pair.", "DataError");
  }
}

function unwrap(der: Uint8Array, isPrivate: boolean, family: KeyFamily, curve: string | undefined): Uint8Array {
  return isPrivate ? unwrapPrivate(der, family, curve) : unwrapPublic(der, family, curve);
}

function describe(algorithm: Algorithm, family: KeyFamily, bare: Uint8Array, isPrivate: boolean): KeyAlgorithm {
  const { name, namedCurve, hash } = algorithm;
  if (family === "EC") return { name, namedCurve: namedCurve! };
  if (family !== "RSA") return { name };
  const numbers = sequence(bare);
  const at = isPrivate ? 1 : 0;
  const modulus = integer(numbers[at]);
  return {
    name,
    // clz32 counts in 32 bits; the first byte is the last eight.
    modulusLength: modulus.length * 8 - (Math.clz32(modulus[0] ?? 0) - 24),
    publicExponent: integer(numbers[at + 1]).slice(),
    hash: hash!,
  };
}

export async function generatePair(
  algorithm: Algorithm, extractable: boolean, usages: readonly KeyUsage[],
): Promise<{ publicKey: CryptoKey; privateKey: CryptoKey }> {
  checkParameters(algorithm);
  const { usages: own, publicUsages = [] } = registered(algorithm.name);
  const privateUsages = usages.filter((usage) => own.includes(usage));
  checkUsages(algorithm.name, false, usages.filter((usage) => !publicUsages.includes(usage)));
  checkUseful(privateUsages);
  const { privateDer, publicDer } = readMaterial(await compute("pair.generate", generation(algorithm), new Uint8Array(0)));
  const family = registered(algorithm.name).family!;
  const describedBy = describe(algorithm, family, unwrapPublic(publicDer!, family, algorithm.namedCurve), false);
  return {
    publicKey: newKey("public", true, describedBy, usages.filter((usage) => publicUsages.includes(usage)), { publicDer: publicDer! }),
    privateKey: newKey("private", extractable, { ...describedBy }, privateUsages, { privateDer: privateDer!, publicDer: publicDer! }),
  };
}

function generation(algorithm: Algorithm): object {
  const parameters = pairParameters(algorithm);
  if (parameters.family !== "RSA") return parameters;
  const exponent = required(algorithm, "publicExponent").reduce((number, byte) => number * 256 + byte, 0);
  return { ...parameters, bits: required(algorithm, "modulusLength"), exponent };
}

export async function exportPair(format: string, key: CryptoKey): Promise<ArrayBuffer | Jwk> {
  const { algorithm, type } = key;
  const family = registered(algorithm.name).family!;
  if (format !== "spki" && format !== "pkcs8" && format !== "jwk" && (format !== "raw" || family === "RSA")) {
    throw notSupported(`A key of ${algorithm.name} as ${format}`);
  }
  if (format !== "jwk" && type !== (format === "pkcs8" ? "private" : "public")) {
    throw new DOMException(`A ${type} key can't be exported as ${format}.`, "InvalidAccessError");
  }
  const material = await complete(key);
  if (format === "spki") return material.publicDer!.slice().buffer;
  if (format === "pkcs8") return material.privateDer!.slice().buffer;
  const publicKey = unwrapPublic(material.publicDer!, family, algorithm.namedCurve);
  if (format === "raw") return publicKey.slice().buffer as ArrayBuffer;
  const privateKey = type === "private" ? unwrapPrivate(material.privateDer!, family, algorithm.namedCurve) : undefined;
  return family === "RSA"
    ? rsaJwk(privateKey ?? publicKey, algorithm, privateKey !== undefined)
    : curveJwk(publicKey, privateKey, algorithm);
}

/** A private key that was imported while the module loaded has no public key yet. */
async function complete(key: CryptoKey): Promise<KeyMaterial> {
  const material = materialOf(key);
  if (material.publicDer !== undefined) return material;
  return Object.assign(material, await completed({ der: material.privateDer!, isPrivate: true }, key.algorithm));
}
