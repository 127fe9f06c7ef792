// structuredClone (HTML standard, 2.7): the language's types, errors, and cloneable types of the web. Transfers array buffers.
import { isArray, isView } from "../intrinsics";
import { Blob, cloneBlob } from "./blob";
import { cloneKey, isKey } from "./crypto/crypto-key";

interface CloneOptions {
  transfer?: Iterable<unknown>;
}

const errorClasses: Record<string, new (message?: string) => Error> = {
  Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError,
};

/** Objects of the web that can't be copied. */
const uncloneable = new Set<abstract new (...args: never[]) => object>();

/** Names classes whose objects can't be cloned; objects of other classes are cloned as plain objects. */
export function refuseToClone(classes: Iterable<abstract new (...args: never[]) => object>): void {
  for (const one of classes) uncloneable.add(one);
}

function refusal(what: string): DOMException {
  return new DOMException(`${what} can't be cloned.`, "DataCloneError");
}

export function structuredClone(value: unknown, options: CloneOptions = {}): unknown {
  const transferred = [...(options?.transfer ?? [])];
  const seen = new Set<unknown>();
  for (const item of transferred) {
    if (!(item instanceof ArrayBuffer)) throw refusal("Only an ArrayBuffer can be transferred; this value");
    if (item.detached || seen.has(item)) throw refusal("An ArrayBuffer that is detached, or given twice,");
    seen.add(item);
  }
  const cloned = new Cloning().clone(value);
  // Transfer last: nothing is transferred unless everything could be cloned.
  for (const buffer of transferred) (buffer as ArrayBuffer).transfer();
  return cloned;
}

class Cloning {
  readonly #memory = new Map<object, unknown>();

  clone(value: unknown): unknown {
    if (typeof value === "symbol") throw refusal(String(value));
    if (typeof value === "function") throw refusal(`The function ${value.name || "(anonymous)"}`);
    if (typeof value !== "object" || value === null) return value;
    if (this.#memory.has(value)) return this.#memory.get(value);
    const scalar = this.scalar(value);
    if (scalar !== undefined) return this.keep(value, scalar);
    if (value instanceof Map) return this.map(value);
    if (value instanceof Set) return this.set(value);
    if (value instanceof Error) return this.error(value);
    for (let at = Object.getPrototypeOf(value) as object | null; at !== null; at = Object.getPrototypeOf(at) as object | null) {
      if (uncloneable.has((at as { constructor: new () => object }).constructor))
        throw refusal(`An object of the class ${at.constructor.name}`);
    }
    return this.properties(value, this.keep(value, isArray(value) ? new Array(value.length) : {}));
  }

  private keep<T>(value: object, copy: T): T {
    this.#memory.set(value, copy);
    return copy;
  }

  /** Objects without references to others. */
  private scalar(value: object): object | undefined {
    if (value instanceof Boolean || value instanceof Number || value instanceof String || value instanceof BigInt)
      return Object(value.valueOf()) as object;
    if (value instanceof Date) return new Date(value.getTime());
    if (value instanceof RegExp) return new RegExp(value.source, value.flags);
    if (value instanceof ArrayBuffer) return Cloning.buffer(value);
    if (isView(value)) return this.view(value);
    if (value instanceof Blob) return cloneBlob(value);
    return isKey(value) ? cloneKey(value) : undefined;
  }

  private static buffer(buffer: ArrayBuffer): ArrayBuffer {
    if (buffer.detached) throw refusal("A detached ArrayBuffer");
    return buffer.slice(0);
  }

  /** A view's clone looks at the clone of its buffer. */
  private view(view: ArrayBufferView): object {
    const { byteOffset, byteLength } = view;
    const length = (view as Uint8Array).length as number | undefined;
    const buffer = this.clone(view.buffer) as ArrayBuffer;
    const Kind = view.constructor as new (buffer: ArrayBuffer, offset: number, length?: number) => object;
    return new Kind(buffer, byteOffset, length ?? byteLength);
  }

  private map(value: Map<unknown, unknown>): Map<unknown, unknown> {
    const copy = this.keep(value, new Map<unknown, unknown>());
    for (const [key, item] of [...value]) copy.set(this.clone(key), this.clone(item));
    return copy;
  }

  private set(value: Set<unknown>): Set<unknown> {
    const copy = this.keep(value, new Set<unknown>());
    for (const item of [...value]) copy.add(this.clone(item));
    return copy;
  }

  private error(value: Error): Error {
    if (value instanceof DOMException) return this.keep(value, new DOMException(value.message, value.name));
    const name = String(value.name);
    const Class = Object.hasOwn(errorClasses, name) ? errorClasses[name]! : Error;
    const copy = this.keep(value, new Class(String(value.message)));
    const own = (key: string, content: unknown) =>
      Object.defineProperty(copy, key, { value: content, writable: true, configurable: true, enumerable: false });
    if (typeof value.stack === "string") own("stack", value.stack);
    if (Object.hasOwn(value, "cause")) own("cause", this.clone(value.cause));
    return copy;
  }

  private properties(value: object, copy: object): object {
    for (const key of Object.keys(value)) {
      const content = this.clone((value as Record<string, unknown>)[key]);
      Object.defineProperty(copy, key, { value: content, writable: true, configurable: true, enumerable: true });
    }
    return copy;
  }
}
