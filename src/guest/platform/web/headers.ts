// Headers, as in the Fetch standard (5.2). The engine's own class accepts values that HTTP can't carry, and takes no iterables.
import { charCodeAt, isArray, slice, toLowerCase } from "../intrinsics";
import { loggedState } from "../logging/inspect";

export type HeadersInit = Headers | Iterable<Iterable<string>> | Record<string, string>;

/** A lower-case name and a value. */
export type HeaderPair = [name: string, value: string];

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const forbidden = /[\0\r\n]|[^\0-\xff]/;

/** A header's name in lower case; a TypeError if it is invalid. */
export function validName(name: unknown): string {
  const text = String(name);
  if (!token.test(text)) throw new TypeError(`"${text}" is not a header name.`);
  return toLowerCase(text);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

/** Trims spaces. By hand, because a regular expression tries each run of inner spaces again from each of its characters. */
function trimmed(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(charCodeAt(text, end - 1))) end--;
  let start = 0;
  while (start < end && isSpace(charCodeAt(text, start))) start++;
  return start === 0 && end === text.length ? text : slice(text, start, end);
}

/** A header's value without surrounding spaces; a TypeError if HTTP can't carry it. */
export function validValue(name: string, value: unknown): string {
  const text = trimmed(String(value));
  if (forbidden.test(text)) throw new TypeError(`The value of header "${name}" has a character that HTTP can't carry.`);
  return text;
}

/** Creates Headers from pairs that the host has validated. */
export let headersFromHost: (pairs: readonly [string, string][]) => Headers;

/** The pairs as they were set, even if the iterator was replaced. */
export let headerPairs: (headers: Headers) => readonly HeaderPair[];

/** Adds a header that is known to be valid, unless one has its name. */
export let setDefault: (headers: Headers, name: string, value: string) => void;

export class Headers {
  #pairs: HeaderPair[] = [];

  static {
    headersFromHost = (pairs) => {
      const headers = new Headers();
      for (let i = 0; i < pairs.length; i++) headers.#pairs[i] = [toLowerCase(pairs[i]![0]), pairs[i]![1]];
      return headers;
    };
    headerPairs = (headers) => headers.#pairs;
    setDefault = (headers, name, value) => {
      const pairs = headers.#pairs;
      for (let i = 0; i < pairs.length; i++) if (pairs[i]![0] === name) return;
      pairs[pairs.length] = [name, value];
    };
  }

  constructor(init?: HeadersInit | null) {
    if (init === undefined) return;
    if (init === null || typeof init !== "object") throw new TypeError("Headers needs an object or an iterable of pairs.");
    if (#pairs in init) {
      this.#pairs = init.#pairs.map(([name, value]) => [name, value]);
    } else if (Symbol.iterator in init) {
      for (const pair of init as Iterable<Iterable<string>>) {
        const [name, value, ...more] = isArray(pair) ? pair : [...pair];
        if (value === undefined || more.length > 0) throw new TypeError("Each header must be a pair of a name and a value.");
        this.append(name as string, value as string);
      }
    } else {
      for (const name of Reflect.ownKeys(init)) {
        if (Object.getOwnPropertyDescriptor(init, name)?.enumerable) {
          this.append(name as string, (init as Record<string, string>)[name as string]!);
        }
      }
    }
  }

  append(name: string, value: string): void {
    const key = validName(name);
    this.#pairs.push([key, validValue(key, value)]);
  }

  set(name: string, value: string): void {
    const key = validName(name);
    const text = validValue(key, value);
    const first = this.#pairs.findIndex((pair) => pair[0] === key);
    if (first < 0) {
      this.#pairs.push([key, text]);
      return;
    }
    this.#pairs[first]![1] = text;
    this.#pairs = this.#pairs.filter((pair, i) => i <= first || pair[0] !== key);
  }

  delete(name: string): void {
    const key = validName(name);
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== key);
  }

  get(name: string): string | null {
    const key = validName(name);
    const values: string[] = [];
    for (let i = 0; i < this.#pairs.length; i++) if (this.#pairs[i]![0] === key) values[values.length] = this.#pairs[i]![1];
    return values.length === 0 ? null : values.length === 1 ? values[0]! : values.join(", ");
  }

  has(name: string): boolean {
    const key = validName(name);
    return this.#pairs.some((pair) => pair[0] === key);
  }

  getSetCookie(): string[] {
    return this.#pairs.filter((pair) => pair[0] === "set-cookie").map((pair) => pair[1]);
  }

  forEach(callback: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  entries(): IterableIterator<HeaderPair> {
    return this.#sorted().values();
  }

  *keys(): Generator<string> {
    for (const [name] of this.#sorted()) yield name;
  }

  *values(): Generator<string> {
    for (const [, value] of this.#sorted()) yield value;
  }

  [Symbol.iterator](): IterableIterator<HeaderPair> {
    return this.entries();
  }

  get [Symbol.toStringTag](): string {
    return "Headers";
  }

  *[loggedState](): Generator<[string, unknown]> {
    yield* this.#sorted();
  }

  /** Sorted by name; values of one name are joined, except those of set-cookie. */
  #sorted(): HeaderPair[] {
    // The sort is stable, so that values of one name keep their order.
    const pairs = [...this.#pairs].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    const joined: HeaderPair[] = [];
    for (let i = 0; i < pairs.length; ) {
      const name = pairs[i]![0];
      const values = [pairs[i++]![1]];
      while (name !== "set-cookie" && i < pairs.length && pairs[i]![0] === name) values.push(pairs[i++]![1]);
      joined.push([name, values.join(", ")]);
    }
    return joined;
  }
}
