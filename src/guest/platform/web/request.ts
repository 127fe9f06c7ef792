// Request (Fetch standard, 5.4).
import type { IncomingRequest } from "../../invocation/message";
import { loggedState } from "../logging/inspect";
import { AbortController, AbortSignal } from "./abort";
import { Body, cloneContent, extractBody, moveContent, type BodyInit, type Content } from "./body";
import { Headers, headersFromHost, setDefault, type HeadersInit } from "./headers";
import type { ReadableStream } from "./streams";
import { URL } from "./url";

export type Redirect = "follow" | "error" | "manual";

export interface RequestInit {
  method?: string;
  headers?: HeadersInit;
  body?: BodyInit | null;
  redirect?: Redirect;
  signal?: AbortSignal | null;
}

interface RequestState {
  method: string;
  url: string;
  /** The host's pairs, until `headers` is read. */
  headers: Headers | [string, string][];
  redirect: Redirect;
  signal: AbortSignal | undefined;
}

const normalized = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);
const refused = new Set(["CONNECT", "TRACE", "TRACK"]);

function validMethod(method: string): string {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError(`"${method}" is not a method.`);
  const upper = method.toUpperCase();
  if (refused.has(upper)) throw new TypeError(`The method ${upper} can't be sent.`);
  return normalized.has(upper) ? upper : method;
}

/** Passes state and content to the constructor without its public checks. */
class Prepared {
  constructor(
    readonly state: RequestState,
    readonly content: Content,
  ) {}
}

/** A request as the host received it, with its body or the stream of it. */
export function incomingRequest(request: IncomingRequest, body: Uint8Array | ReadableStream<Uint8Array> | undefined): Request {
  const { method, url, headers } = request;
  const hasBody = body !== undefined && method !== "GET" && method !== "HEAD";
  const state: RequestState = { method, url, headers, redirect: "manual", signal: undefined };
  return new Request(new Prepared(state, hasBody ? body : null) as never);
}

export class Request extends Body {
  readonly #state: RequestState;

  constructor(input: string | URL | Request, init: RequestInit = {}) {
    const prepared = (input as unknown) instanceof Prepared ? (input as unknown as Prepared) : prepare(input, init);
    super(prepared.content);
    this.#state = prepared.state;
  }

  get method(): string {
    return this.#state.method;
  }

  get url(): string {
    return this.#state.url;
  }

  get headers(): Headers {
    const { headers } = this.#state;
    return headers instanceof Headers ? headers : (this.#state.headers = headersFromHost(headers));
  }

  get redirect(): Redirect {
    return this.#state.redirect;
  }

  get signal(): AbortSignal {
    return (this.#state.signal ??= new AbortController().signal);
  }

  clone(): Request {
    const state = { ...this.#state, headers: new Headers(this.headers) };
    return new Request(new Prepared(state, cloneContent(this)) as never);
  }

  protected override contentType(): string {
    return this.headers.get("content-type") ?? "";
  }

  get [Symbol.toStringTag](): string {
    return "Request";
  }

  *[loggedState](): Generator<[string, unknown]> {
    yield ["method", this.method];
    yield ["url", this.url];
    yield ["headers", this.headers];
  }
}

function prepare(input: string | URL | Request, init: RequestInit): Prepared {
  const base = input instanceof Request ? input : undefined;
  const method = init.method === undefined ? (base?.method ?? "GET") : validMethod(String(init.method));
  const headers = new Headers(init.headers ?? base?.headers);
  const content = requestContent(base, method, init.body, headers);
  const url = base?.url ?? absoluteUrl(String(input));
  const redirect = init.redirect ?? base?.redirect ?? "follow";
  if (redirect !== "follow" && redirect !== "error" && redirect !== "manual") {
    throw new TypeError(`"${String(redirect)}" is not a redirect mode.`);
  }
  const signal = init.signal === undefined ? base?.signal : (init.signal ?? undefined);
  return new Prepared({ method, url, headers, redirect, signal }, content);
}

function absoluteUrl(text: string): string {
  if (!URL.canParse(text)) throw new TypeError(`"${text}" is not an absolute URL.`);
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") throw new TypeError("A URL with credentials can't be fetched.");
  return url.href;
}

function requestContent(base: Request | undefined, method: string, body: BodyInit | null | undefined, headers: Headers): Content {
  const isBodiless = method === "GET" || method === "HEAD";
  if (body === undefined || body === null) {
    if (base === undefined || body === null) return null;
    const content = moveContent(base);
    if (content !== null && isBodiless) throw new TypeError(`A ${method} request has no body.`);
    return content;
  }
  if (isBodiless) throw new TypeError(`A ${method} request has no body.`);
  const { content, type } = extractBody(body);
  if (type !== undefined) setDefault(headers, "content-type", type);
  return content;
}
