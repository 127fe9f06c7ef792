// URL and URLSearchParams (WHATWG URL). The engine parses and serialises; its URL has no searchParams and its
// URLSearchParams takes only text, so both are completed here.
import { loggedState } from "../logging/inspect";

const NativeURL = globalThis.URL;

export type SearchParamsInit = string | Iterable<Iterable<string>> | Record<string, string>;

const plain = /^[*\-.0-9A-Z_a-z]$/;

/** application/x-www-form-urlencoded, including its percent-encode set (URL standard, 5.2). */
function encode(text: string): string {
  if (/^[*\-.0-9A-Z_a-z]*$/.test(text)) return text;
  let encoded = "";
  for (const char of text.toWellFormed()) {
    if (char === " ") encoded += "+";
    else if (plain.test(char)) encoded += char;
    else {
      const escaped = encodeURIComponent(char);
      encoded += escaped.length > 1 ? escaped : `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
    }
  }
  return encoded;
}

/** A malformed escape stays as it is; malformed UTF-8 becomes U+FFFD. */
function decode(text: string): string {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  return spaced.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) =>
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.fromHex(run.replaceAll("%", ""))),
  );
}

function parse(text: string): [string, string][] {
  const pairs: [string, string][] = [];
  for (const part of text.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    pairs.push([decode(name), equals < 0 ? "" : decode(part.slice(equals + 1))]);
  }
  return pairs;
}

/**
 * Ties a URLSearchParams to its URL: `changed` runs after each change, so it must be cheap; the result replaces all pairs by a new query's.
 */
let attach: (params: URLSearchParams, changed: () => void) => (query: string) => void;

export class URLSearchParams {
  #pairs: [string, string][] = [];
  #changed: (() => void) | undefined;

  static {
    attach = (params, changed) => {
      params.#changed = changed;
      return (query) => (params.#pairs = parse(query.replace(/^\?/, "")));
    };
  }

  constructor(init: SearchParamsInit = "") {
    if (typeof init !== "object" || init === null) {
      this.#pairs = parse(String(init).replace(/^\?/, ""));
    } else if (Symbol.iterator in init) {
      for (const pair of init as Iterable<Iterable<string>>) {
        const [name, value, ...more] = pair;
        if (value === undefined || more.length > 0) throw new TypeError("Each parameter must be a pair of a name and a value.");
        this.#pairs.push([String(name).toWellFormed(), String(value).toWellFormed()]);
      }
    } else {
      for (const [name, value] of Object.entries(init)) this.#pairs.push([name.toWellFormed(), String(value).toWellFormed()]);
    }
  }

  get size(): number {
    return this.#pairs.length;
  }

  append(name: string, value: string): void {
    this.#pairs.push([String(name), String(value)]);
    this.#changed?.();
  }

  delete(name: string, value?: string): void {
    this.#pairs = this.#pairs.filter((pair) => !matches(pair, name, value));
    this.#changed?.();
  }

  get(name: string): string | null {
    return this.#pairs.find((pair) => pair[0] === String(name))?.[1] ?? null;
  }

  getAll(name: string): string[] {
    return this.#pairs.filter((pair) => pair[0] === String(name)).map((pair) => pair[1]);
  }

  has(name: string, value?: string): boolean {
    return this.#pairs.some((pair) => matches(pair, name, value));
  }

  set(name: string, value: string): void {
    const key = String(name);
    const first = this.#pairs.findIndex((pair) => pair[0] === key);
    if (first < 0) this.#pairs.push([key, String(value)]);
    else {
      this.#pairs[first]![1] = String(value);
      this.#pairs = this.#pairs.filter((pair, i) => i <= first || pair[0] !== key);
    }
    this.#changed?.();
  }

  sort(): void {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed?.();
  }

  forEach(callback: (value: string, name: string, params: URLSearchParams) => void, self?: unknown): void {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  *entries(): Generator<[string, string]> {
    for (let i = 0; i < this.#pairs.length; i++) yield [this.#pairs[i]![0], this.#pairs[i]![1]];
  }

  *keys(): Generator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): Generator<string> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): Generator<[string, string]> {
    return this.entries();
  }

  toString(): string {
    return this.#pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  }

  get [Symbol.toStringTag](): string {
    return "URLSearchParams";
  }

  *[loggedState](): Generator<[string, unknown]> {
    yield* this.entries();
  }
}

function matches(pair: [string, string], name: string, value: string | undefined): boolean {
  return pair[0] === String(name) && (value === undefined || pair[1] === String(value));
}

export class URL {
  readonly #url: EngineUrl;
  #params: URLSearchParams | undefined;
  #reload: ((query: string) => void) | undefined;
  /** Whether the parameters have changed since the query was written. Writing it at each change would cost n times n for n changes. */
  #isStale = false;

  constructor(url: string | URL, base?: string | URL) {
    this.#url = base === undefined ? new NativeURL(String(url)) : new NativeURL(String(url), String(base));
  }

  static canParse(url: string | URL, base?: string | URL): boolean {
    return base === undefined ? NativeURL.canParse(String(url)) : NativeURL.canParse(String(url), String(base));
  }

  static parse(url: string | URL, base?: string | URL): URL | null {
    return URL.canParse(url, base) ? new URL(url, base) : null;
  }

  get searchParams(): URLSearchParams {
    if (this.#params === undefined) {
      const params = new URLSearchParams(this.#url.search);
      this.#reload = attach(params, () => (this.#isStale = true));
      this.#params = params;
    }
    return this.#params;
  }

  /** The engine's URL, with the query as the parameters are now. */
  get #current(): EngineUrl {
    if (this.#isStale) {
      this.#isStale = false;
      this.#url.search = this.#params!.toString();
    }
    return this.#url;
  }

  #replaceQuery(): void {
    this.#isStale = false;
    this.#reload?.(this.#url.search);
  }

  get href(): string { return this.#current.href; }
  set href(value: string) {
    this.#url.href = String(value);
    this.#replaceQuery();
  }

  get search(): string { return this.#current.search; }
  set search(value: string) {
    this.#url.search = String(value);
    this.#replaceQuery();
  }

  get origin(): string { return this.#url.origin; }
  get protocol(): string { return this.#url.protocol; }
  set protocol(value: string) { this.#url.protocol = String(value); }
  get username(): string { return this.#url.username; }
  set username(value: string) { this.#url.username = String(value); }
  get password(): string { return this.#url.password; }
  set password(value: string) { this.#url.password = String(value); }
  get host(): string { return this.#url.host; }
  set host(value: string) { this.#url.host = String(value); }
  get hostname(): string { return this.#url.hostname; }
  set hostname(value: string) { this.#url.hostname = String(value); }
  get port(): string { return this.#url.port; }
  set port(value: string) { this.#url.port = String(value); }
  get pathname(): string { return this.#url.pathname; }
  set pathname(value: string) { this.#url.pathname = String(value); }
  get hash(): string { return this.#url.hash; }
  set hash(value: string) { this.#url.hash = String(value); }

  toString(): string {
    return this.#current.href;
  }

  toJSON(): string {
    return this.#current.href;
  }

  get [Symbol.toStringTag](): string {
    return "URL";
  }

  *[loggedState](): Generator<[string, unknown]> {
    yield ["href", this.href];
  }
}
