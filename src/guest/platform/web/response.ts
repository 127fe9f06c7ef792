// Response (Fetch standard, 5.5).
import { loggedState } from "../logging/inspect";
import { Body, cloneContent, extractBody, type BodyInit, type Content, type Extracted } from "./body";
import { headerPairs, Headers, headersFromHost, setDefault, type HeaderPair, type HeadersInit } from "./headers";
import type { ReadableStream } from "./streams";
import { URL } from "./url";

export interface ResponseInit {
  status?: number;
  statusText?: string;
  headers?: HeadersInit;
}

interface ResponseState {
  status: number;
  statusText: string;
  headers: Headers | [string, string][];
  url: string;
  redirected: boolean;
  type: "default" | "basic" | "error";
}

const bodilessStatuses = new Set([101, 204, 205, 304]);
const redirectStatuses = new Set([301, 302, 303, 307, 308]);

/** Passes state and content to the constructor without its public checks. */
class Prepared {
  constructor(
    readonly state: ResponseState,
    readonly content: Content,
  ) {}
}

/** The host's answer to "fetch". */
export interface FetchAnswer {
  status: number;
  statusText: string;
  headers: [string, string][];
  url: string;
  redirected: boolean;
  /** The number by which a body that follows is read. */
  stream?: number;
}

/** The response to a fetch, with its body or the stream of it. */
export function fetchedResponse(answer: FetchAnswer, body: Uint8Array | ReadableStream<Uint8Array> | undefined): Response {
  const content = bodilessStatuses.has(answer.status) ? null : (body ?? "");
  return new Response(new Prepared({ ...answer, type: "basic" }, content) as never);
}

/** Whether a value is a Response of this realm, whatever its prototype is. */
export let isResponse: (value: unknown) => value is Response;

/** A response's status and headers, even if a subclass has replaced their getters. */
export let responseHead: (response: Response) => { status: number; headers: readonly HeaderPair[] };

export class Response extends Body {
  readonly #state: ResponseState;

  static {
    responseHead = (response) => {
      const { status, headers } = response.#state;
      return { status, headers: headers instanceof Headers ? headerPairs(headers) : headers };
    };
    isResponse = (value): value is Response => typeof value === "object" && value !== null && #state in value;
  }

  constructor(body?: BodyInit | null, init: ResponseInit = {}) {
    const prepared = (body as unknown) instanceof Prepared ? (body as unknown as Prepared) : prepare(extractBody(body), init);
    super(prepared.content);
    this.#state = prepared.state;
  }

  static json(value: unknown, init: ResponseInit = {}): Response {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`Response.json can't write a ${typeof value} as JSON.`);
    return new Response(prepare({ content: text, type: "application/json" }, init) as never);
  }

  static redirect(url: string | URL, status = 302): Response {
    if (!redirectStatuses.has(status)) throw new RangeError(`${status} is not a redirect status.`);
    if (!URL.canParse(String(url))) throw new TypeError(`"${String(url)}" is not an absolute URL.`);
    return new Response(null, { status, headers: [["location", new URL(String(url)).href]] });
  }

  static error(): Response {
    const state: ResponseState = { status: 0, statusText: "", headers: new Headers(), url: "", redirected: false, type: "error" };
    return new Response(new Prepared(state, null) as never);
  }

  get status(): number {
    return this.#state.status;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get statusText(): string {
    return this.#state.statusText;
  }

  get headers(): Headers {
    const { headers } = this.#state;
    return headers instanceof Headers ? headers : (this.#state.headers = headersFromHost(headers));
  }

  get url(): string {
    return this.#state.url;
  }

  get redirected(): boolean {
    return this.#state.redirected;
  }

  get type(): string {
    return this.#state.type;
  }

  clone(): Response {
    const state = { ...this.#state, headers: new Headers(this.headers) };
    return new Response(new Prepared(state, cloneContent(this)) as never);
  }

  protected override contentType(): string {
    return this.headers.get("content-type") ?? "";
  }

  get [Symbol.toStringTag](): string {
    return "Response";
  }

  *[loggedState](): Generator<[string, unknown]> {
    yield ["status", this.status];
    yield ["headers", this.headers];
  }
}

function prepare({ content, type }: Extracted, init: ResponseInit): Prepared {
  const status = init.status === undefined ? 200 : Math.trunc(Number(init.status));
  if (!(status >= 200 && status <= 599)) throw new RangeError(`A status must be from 200 to 599, not ${String(init.status)}.`);
  if (content !== null && bodilessStatuses.has(status)) throw new TypeError(`A response with status ${status} has no body.`);
  const headers = new Headers(init.headers);
  if (type !== undefined) setDefault(headers, "content-type", type);
  const statusText = init.statusText === undefined ? "" : String(init.statusText);
  return new Prepared({ status, statusText, headers, url: "", redirected: false, type: "default" }, content);
}
