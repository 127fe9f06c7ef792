// CryptoKey (Web Cryptography, 13), whose material is hidden.
import { loggedState } from "../../logging/inspect";

export type KeyType = "secret" | "public" | "private";

export type KeyUsage = "encrypt" | "decrypt" | "sign" | "verify" | "deriveKey" | "deriveBits" | "wrapKey" | "unwrapKey";

/** The value of `key.algorithm`. */
export interface KeyAlgorithm {
  name: string;
  hash?: { name: string };
  /** The length of a secret key in bits. */
  length?: number;
  namedCurve?: string;
  modulusLength?: number;
  publicExponent?: Uint8Array;
}

/** A secret key's bytes, or a pair's DER: PKCS #8 of a private key, SubjectPublicKeyInfo of a public one. */
export interface KeyMaterial {
  secret?: Uint8Array<ArrayBuffer>;
  privateDer?: Uint8Array<ArrayBuffer>;
  publicDer?: Uint8Array<ArrayBuffer>;
}

interface KeyState {
  type: KeyType;
  extractable: boolean;
  algorithm: KeyAlgorithm;
  usages: KeyUsage[];
  material: KeyMaterial;
}

export const usageOrder: readonly KeyUsage[] =
  ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];

const creation = Symbol("a CryptoKey");

let makeKey: (state: KeyState) => CryptoKey;

/** A key's material, even if its prototype was replaced. */
export let materialOf: (key: CryptoKey) => KeyMaterial;

/** Whether a value is a key of this realm. */
export let isKey: (value: unknown) => value is CryptoKey;

/** Creates another object for the same key, for structuredClone. */
export let cloneKey: (key: CryptoKey) => CryptoKey;

/** Creates a key; its usages are in the standard's order, each once. */
export function newKey(
  type: KeyType, extractable: boolean, algorithm: KeyAlgorithm, usages: readonly KeyUsage[], material: KeyMaterial,
): CryptoKey {
  return makeKey({ type, extractable, algorithm, usages: usageOrder.filter((usage) => usages.includes(usage)), material });
}

export class CryptoKey {
  readonly #state: KeyState;

  static {
    makeKey = (state) => new CryptoKey(creation, state);
    materialOf = (key) => key.#state.material;
    isKey = (value): value is CryptoKey => typeof value === "object" && value !== null && #state in value;
    cloneKey = (key) => new CryptoKey(creation, key.#state);
  }

  constructor(token?: symbol, state?: KeyState) {
    if (token !== creation) throw new TypeError("Illegal constructor: use crypto.subtle.importKey or generateKey.");
    this.#state = state!;
  }

  get type(): KeyType {
    return this.#state.type;
  }

  get extractable(): boolean {
    return this.#state.extractable;
  }

  get algorithm(): KeyAlgorithm {
    return this.#state.algorithm;
  }

  get usages(): KeyUsage[] {
    return this.#state.usages;
  }

  get [Symbol.toStringTag](): string {
    return "CryptoKey";
  }

  *[loggedState](): Generator<[string, unknown]> {
    yield ["type", this.type];
    yield ["extractable", this.extractable];
    yield ["algorithm", this.algorithm];
    yield ["usages", this.usages];
  }
}

