// The operations of the algorithms: converts the standard's parameters to those of the host.
import { notSupported, required, type Algorithm } from "./algorithms";
import { compute } from "./compute";
import { materialOf, type CryptoKey } from "./crypto-key";
import { pairParameters } from "./key-pairs";

type Bytes = Uint8Array<ArrayBuffer>;

const none = new Uint8Array(0);
const tagLengths = [32, 64, 96, 104, 112, 120, 128];

/** A DOMException for invalid parameters. */
function invalid(why: string): DOMException {
  return new DOMException(why, "OperationError");
}

/** Encrypts or decrypts. */
export async function crypt(algorithm: Algorithm, key: CryptoKey, data: Bytes, encrypts: boolean): Promise<Bytes> {
  const verb = encrypts ? "encrypt" : "decrypt";
  const { secret, publicDer, privateDer } = materialOf(key);
  switch (algorithm.name) {
    case "AES-CBC":
      return compute(`cbc.${verb}`, {}, secret!, block(algorithm, "iv"), data);
    case "AES-CTR": {
      const length = required(algorithm, "length");
      if (length < 1 || length > 128) throw invalid("The length of the counter must be from 1 to 128 bits.");
      return compute("ctr", { length }, secret!, block(algorithm, "counter"), data);
    }
    case "AES-GCM": {
      const tag = algorithm.tagLength ?? 128;
      if (!tagLengths.includes(tag)) throw invalid(`A tag has one of ${tagLengths.join(", ")} bits, not ${tag}.`);
      return compute(`gcm.${verb}`, { tag }, secret!, required(algorithm, "iv"), algorithm.additionalData ?? none, data);
    }
    case "RSA-OAEP": {
      const parameters = { ...pairParameters(key.algorithm), hash: key.algorithm.hash!.name };
      if (key.type !== (encrypts ? "public" : "private")) throw wrongType(key);
      return compute(`pair.${verb}`, parameters, encrypts ? publicDer! : privateDer!, algorithm.label ?? none, data);
    }
    default:
      throw notSupported(`${algorithm.name} for encryption`);
  }
}

function block(algorithm: Algorithm, member: "iv" | "counter"): Bytes {
  const bytes = required(algorithm, member);
  if (bytes.length !== 16) throw invalid(`${member} must have 16 bytes, not ${bytes.length}.`);
  return bytes;
}

function wrongType(key: CryptoKey): DOMException {
  return new DOMException(`A ${key.type} key can't be used here.`, "InvalidAccessError");
}

/** Wraps or unwraps another key's bytes, by AES-KW or as data. */
export async function wrap(algorithm: Algorithm, key: CryptoKey, data: Bytes, wraps: boolean): Promise<Bytes> {
  if (algorithm.name !== "AES-KW") return crypt(algorithm, key, data, wraps);
  return compute(wraps ? "kw.wrap" : "kw.unwrap", {}, materialOf(key).secret!, data);
}

/** Computes a signature or a message authentication code. */
export async function sign(algorithm: Algorithm, key: CryptoKey, data: Bytes): Promise<Bytes> {
  const { secret, privateDer } = materialOf(key);
  if (algorithm.name === "HMAC") return compute("hmac.sign", { hash: key.algorithm.hash!.name }, secret!, data);
  if (key.type !== "private") throw wrongType(key);
  return compute("pair.sign", signatureParameters(algorithm, key), privateDer!, data);
}

/** Verifies a signature of data under a key. */
export async function verify(algorithm: Algorithm, key: CryptoKey, signature: Bytes, data: Bytes): Promise<boolean> {
  const { secret, publicDer } = materialOf(key);
  if (algorithm.name === "HMAC") {
    return (await compute("hmac.verify", { hash: key.algorithm.hash!.name }, secret!, signature, data))[0] === 1;
  }
  if (key.type !== "public") throw wrongType(key);
  return (await compute("pair.verify", signatureParameters(algorithm, key), publicDer!, signature, data))[0] === 1;
}

function signatureParameters(algorithm: Algorithm, key: CryptoKey): object {
  const parameters = pairParameters(key.algorithm);
  switch (algorithm.name) {
    case "ECDSA":
      return { ...parameters, hash: required(algorithm, "hash").name };
    case "RSASSA-PKCS1-v1_5":
      return { ...parameters, hash: key.algorithm.hash!.name, padding: "pkcs1" };
    case "RSA-PSS":
      return { ...parameters, hash: key.algorithm.hash!.name, padding: "pss", salt: required(algorithm, "saltLength") };
    case "Ed25519":
      return parameters;
    default:
      throw notSupported(`${algorithm.name} for signatures`);
  }
}

/** Derived bits; for ECDH and X25519, null means the whole secret. */
export async function derive(algorithm: Algorithm, key: CryptoKey, bits: number | null): Promise<Bytes> {
  const { secret } = materialOf(key);
  switch (algorithm.name) {
    case "HKDF":
      return compute(
        "hkdf", { hash: required(algorithm, "hash").name, bytes: wholeBytes(bits) },
        secret!, required(algorithm, "salt"), required(algorithm, "info"));
    case "PBKDF2": {
      const iterations = required(algorithm, "iterations");
      if (iterations === 0) throw invalid("PBKDF2 needs at least one iteration.");
      const parameters = {
        hash: required(algorithm, "hash").name,
        bytes: wholeBytes(bits),
        iterations: Math.min(iterations, 2_147_483_647),
      };
      return compute("pbkdf2", parameters, secret!, required(algorithm, "salt"));
    }
    default:
      return agree(algorithm, key, bits);
  }
}

function wholeBytes(bits: number | null): number {
  if (bits === null || bits % 8 !== 0) throw invalid("The length must be a whole number of bytes, in bits.");
  return bits / 8;
}

async function agree(algorithm: Algorithm, key: CryptoKey, bits: number | null): Promise<Bytes> {
  const theirs = required(algorithm, "public");
  if (key.type !== "private" || theirs.type !== "public") throw wrongType(key.type === "private" ? theirs : key);
  if (theirs.algorithm.name !== key.algorithm.name || theirs.algorithm.namedCurve !== key.algorithm.namedCurve) {
    throw new DOMException("The two keys are not of the same algorithm and curve.", "InvalidAccessError");
  }
  const secret = await compute("pair.agree", pairParameters(key.algorithm), materialOf(key).privateDer!, materialOf(theirs).publicDer!);
  if (bits === null) return secret;
  const length = Math.ceil(bits / 8);
  if (length > secret.length) throw invalid(`The secret has only ${secret.length * 8} bits.`);
  const part = secret.slice(0, length);
  if (bits % 8 !== 0) part[length - 1]! &= 0xff << (8 - (bits % 8));
  return part;
}

