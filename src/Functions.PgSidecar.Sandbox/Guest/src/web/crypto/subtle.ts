// crypto.subtle's importKey and exportKey (Web Cryptography, 14.3.9 and 14.3.10). The engine reads and writes bare keys under
// the names of the standard formats; these two put the standard's own formats, and JWK, around them.
import { isView } from "../../intrinsics";
import { curveJwk, fromJwk, rsaJwk, secretJwk, type Jwk } from "./jwk";
import { familyOf, unwrapPrivate, unwrapPublic, wrapPrivate, wrapPublic } from "./key-encodings";

interface Algorithm {
  name: string;
  namedCurve?: string;
  hash?: { name: string };
}

interface CryptoKey {
  readonly type: "secret" | "public" | "private";
  readonly extractable: boolean;
  readonly algorithm: Algorithm;
  readonly usages: string[];
}

type Format = "raw" | "spki" | "pkcs8" | "jwk";
type ImportKey = (format: Format, data: unknown, algorithm: Algorithm | string, extractable: boolean, usages: string[]) => Promise<CryptoKey>;
type ExportKey = (format: Format, key: CryptoKey) => Promise<ArrayBuffer>;

interface SubtleMethods {
  importKey: ImportKey;
  exportKey(format: Format, key: CryptoKey): Promise<ArrayBuffer | Jwk>;
}

function bytesOf(data: unknown): Uint8Array {
  if (isView(data)) return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new TypeError("The key must be an ArrayBuffer or a view of one.");
}

function importWith(engineImport: ImportKey): ImportKey {
  return async function importKey(this: unknown, format, data, algorithm, extractable, usages) {
    const named = typeof algorithm === "string" ? { name: algorithm } : algorithm;
    const engine = (bare: Format, key: Uint8Array) => engineImport.call(this, bare, key, algorithm, extractable, usages);
    const family = familyOf(named.name);
    if (format === "jwk") {
      const { format: bare, bytes } = fromJwk(data as Jwk, named);
      if ((data as Jwk).ext === false && extractable) throw new DOMException("The JWK is not extractable.", "DataError");
      return await engine(bare, bytes);
    }
    const bytes = bytesOf(data);
    if (family === undefined) return await engine(format, bytes);
    // A raw key of a curve is its public point, which the engine takes for a private key unless told so.
    if (format === "raw") return await engine("spki", bytes);
    const unwrap = format === "spki" ? unwrapPublic : unwrapPrivate;
    return await engine(format, unwrap(bytes, family, named.namedCurve));
  };
}

function exportWith(engineExport: ExportKey): SubtleMethods["exportKey"] {
  return async function exportKey(this: unknown, format, key) {
    const bare = async (bareFormat: Format) => new Uint8Array(await engineExport.call(this, bareFormat, key));
    const { algorithm, type } = key;
    const family = familyOf(algorithm.name);
    if (format === "jwk") {
      const { extractable, usages } = key;
      return { ...(await jwkOf(key, bare)), ext: extractable, key_ops: usages };
    }
    if (family === undefined) return await engineExport.call(this, format, key);
    const wanted = format === "pkcs8" ? "private" : "public";
    if (type !== wanted) throw new DOMException(`A ${type} key can't be exported as ${format}.`, "InvalidAccessError");
    if (format === "raw") return await engineExport.call(this, "spki", key);
    const wrap = format === "spki" ? wrapPublic : wrapPrivate;
    return wrap(await bare(format), family, algorithm.namedCurve).buffer as ArrayBuffer;
  };
}

async function jwkOf(key: CryptoKey, bare: (format: Format) => Promise<Uint8Array>): Promise<Jwk> {
  const { algorithm, type } = key;
  const family = familyOf(algorithm.name);
  const isPrivate = type === "private";
  if (family === undefined) return secretJwk(await bare("raw"), algorithm);
  if (family === "RSA") return rsaJwk(await bare(isPrivate ? "pkcs8" : "spki"), algorithm, isPrivate);
  // Asked for a private key's "spki", the engine gives the public key that belongs to it.
  return curveJwk(await bare("spki"), isPrivate ? await bare("pkcs8") : undefined, algorithm);
}

/** Completes the engine's SubtleCrypto. */
export function completeSubtleCrypto(): void {
  const methods = Object.getPrototypeOf(crypto.subtle) as { importKey: ImportKey; exportKey: ExportKey };
  Object.assign(methods, { importKey: importWith(methods.importKey), exportKey: exportWith(methods.exportKey) });
}
