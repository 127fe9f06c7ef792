// crypto (Web Cryptography, 10): random bytes come from the engine, which calls the host for them.
import { isView } from "../../intrinsics";
import { subtle, type SubtleCrypto } from "./subtle";

interface EngineCrypto {
  getRandomValues(array: Uint8Array): Uint8Array;
  randomUUID(): string;
}

const engine = (globalThis as unknown as { crypto: EngineCrypto }).crypto;
const fill = engine.getRandomValues.bind(engine);
const makeUuid = engine.randomUUID.bind(engine);

const maxRandomBytes = 65_536;
const integers = /^(?:Big)?(?:Ui|I)nt\d+(?:Clamped)?Array$/;
const typeName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype) as object, Symbol.toStringTag)!.get!;

const creation = Symbol("the Crypto");

export class Crypto {
  constructor(token?: symbol) {
    if (token !== creation) throw new TypeError("Illegal constructor: use crypto.");
  }

  get subtle(): SubtleCrypto {
    return subtle;
  }

  getRandomValues<T extends ArrayBufferView>(array: T): T {
    if (!isView(array) || !integers.test(String(typeName.call(array)))) {
      throw new DOMException("getRandomValues fills arrays of integers.", "TypeMismatchError");
    }
    if (array.byteLength > maxRandomBytes) {
      throw new DOMException(`getRandomValues fills at most ${maxRandomBytes} bytes, not ${array.byteLength}.`, "QuotaExceededError");
    }
    fill(new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength));
    return array;
  }

  randomUUID(): string {
    return makeUuid();
  }

  get [Symbol.toStringTag](): string {
    return "Crypto";
  }
}

export const crypto = new Crypto(creation);
