// Sends a handler's result by the host's RESPOND.
import { respond, respondStreaming } from "../platform/host";
import {
  Bytes, charCodeAt, decodeUtf8, endsWith, getPrototypeOf, hasOwn, isArray, isInteger, isView, jsonParse, jsonStringify,
  objectKeys, objectPrototype, startsWith, trim,
} from "../platform/intrinsics";
import { takeContent, takeFlowing } from "../platform/web/body";
import { headerPairs, Headers, validName, validValue } from "../platform/web/headers";
import { isResponse, responseHead, type Response } from "../platform/web/response";
import { ReadableStream } from "../platform/web/streams";
import { sendBody } from "../platform/web/wire-streams";

type Pair = [string, string];
type HttpBody = string | Uint8Array | undefined;

const json = "application/json";
const text = "text/plain;charset=UTF-8";
const binary = "application/octet-stream";

/**
 * Answers an HTTP invocation with whatever the handler returned: `{statusCode, headers, body}`, a Response, a JSON value.
 * Here and below, a promise is returned only if a stream must be read first.
 */
export function respondHttp(result: unknown): Promise<void> | void {
  if (isResponse(result)) return respondWithResponse(result);
  if (isEnvelope(result)) respondWithEnvelope(result);
  else respondWithValue(result);
}

function respondWithValue(value: unknown): void {
  const { body, type } = encodeBody(value);
  respond(head(200, [["content-type", type]]), body);
}

/** Answers an event with the result's JSON. */
export async function respondEvent(result: unknown): Promise<void> {
  if (isResponse(result)) {
    const content = await takeContent(result);
    const body = content === undefined || typeof content === "string" ? content : decodeUtf8(content);
    const outcome = { statusCode: result.status, body: body === undefined ? null : body };
    return respond("", toJson(outcome));
  }
  respond("", toJson(result));
}

/** The Workers form's answer, which must be a Response. A stream is sent while it is read. */
export function respondWithResponse(response: Response): Promise<void> | void {
  const { status, headers } = responseHead(response);
  if (status === 0) throw new TypeError("Response.error() can't be sent as an answer.");
  const body = takeFlowing(response);
  if (body instanceof ReadableStream) return respondFlowing(status, headers, body);
  respond(head(status, headers), body);
}

function respondFlowing(status: number, headers: readonly Pair[], body: ReadableStream<Uint8Array>): Promise<void> {
  respondStreaming(head(status, headers));
  return sendBody(body);
}

interface Envelope {
  statusCode: number;
  headers?: Record<string, unknown>;
  body?: unknown;
}

/** An own numeric `statusCode` makes an object a response rather than a value. */
function isEnvelope(result: unknown): result is Envelope {
  return (
    typeof result === "object" && result !== null && !isArray(result) &&
    hasOwn(result, "statusCode") && typeof (result as Envelope).statusCode === "number"
  );
}

function respondWithEnvelope(result: Envelope): void {
  const { statusCode } = result;
  if (!isInteger(statusCode) || statusCode < 200 || statusCode > 599) {
    throw new RangeError(`statusCode must be a whole number from 200 to 599, not ${statusCode}.`);
  }
  const headers = givenHeaders(result.headers);
  const given = result.body;
  if (given === undefined || given === null) return respond(head(statusCode, headers), undefined);
  const { body, type } = encodeBody(given);
  if (!hasContentType(headers)) headers[headers.length] = ["content-type", type];
  respond(head(statusCode, headers), body);
}

function givenHeaders(headers: unknown): Pair[] {
  const pairs: Pair[] = [];
  if (headers === undefined || headers === null) return pairs;
  if (typeof headers !== "object") throw new TypeError("headers must be an object of names and values.");
  if (headers instanceof Headers) return [...headerPairs(headers)];
  const names = objectKeys(headers);
  for (let i = 0; i < names.length; i++) {
    const name = validName(names[i]);
    const value = (headers as Record<string, unknown>)[names[i]!];
    if (value === undefined || value === null) continue;
    if (!isArray(value)) pairs[pairs.length] = [name, headerText(name, value)];
    else for (let k = 0; k < value.length; k++) pairs[pairs.length] = [name, headerText(name, value[k])];
  }
  return pairs;
}

function headerText(name: string, value: unknown): string {
  const kind = typeof value;
  if (kind === "string" || kind === "number" || kind === "boolean") return validValue(name, value);
  throw new TypeError(`The value of header "${name}" must be a string, a number, a boolean or an array of these.`);
}

function hasContentType(headers: readonly Pair[]): boolean {
  for (let i = 0; i < headers.length; i++) if (headers[i]![0] === "content-type") return true;
  return false;
}

/** Written by hand, because the engine's stringify takes several times as long for small nested arrays. */
function head(status: number, headers: readonly Pair[]): string {
  let pairs = "";
  for (let i = 0; i < headers.length; i++) {
    const pair = headers[i]!;
    pairs += (i === 0 ? "[" : ",[") + jsonStringify(pair[0]) + "," + jsonStringify(pair[1]) + "]";
  }
  return '{"status":' + status + ',"headers":[' + pairs + "]}";
}

/** A body, and the content type that it implies. */
function encodeBody(value: unknown): { body: HttpBody; type: string } {
  if (typeof value === "string") return { body: value, type: holdsJson(value) ? json : text };
  const bytes = asBytes(value);
  if (bytes !== undefined) return { body: bytes, type: binary };
  return { body: toJson(value), type: json };
}

function asBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Bytes) return value;
  if (value instanceof ArrayBuffer) return new Bytes(value);
  return isView(value) ? new Bytes(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

/** Whether a text is a JSON object or array. */
function holdsJson(value: string): boolean {
  const first = charCodeAt(value, 0);
  // Most plain texts start with a letter; skip the rest for those.
  if ((first | 0x20) >= 0x61 && (first | 0x20) <= 0x7a) return false;
  const trimmed = trim(value);
  const framed =
    (startsWith(trimmed, "{") && endsWith(trimmed, "}")) || (startsWith(trimmed, "[") && endsWith(trimmed, "]"));
  if (!framed) return false;
  try {
    jsonParse(trimmed);
    return true;
  } catch {
    return false;
  }
}

/** Writes a result as JSON; undefined becomes null. A value that JSON can't hold is a TypeError. */
function toJson(value: unknown): string {
  if (value === undefined) return "null";
  const kind = typeof value;
  if (kind === "function" || kind === "symbol" || kind === "bigint") {
    throw new TypeError(`The function returned a ${kind}, which JSON can't hold.`);
  }
  let encoded: string | undefined;
  try {
    encoded = jsonStringify(value);
  } catch (error) {
    // An error of the function's own toJSON passes unchanged; the two errors of the engine get context.
    if (!(error instanceof TypeError) || !hasPlainPrototype(error)) throw error;
    throw new TypeError(`The function's result can't be written as JSON: ${error.message}`, { cause: error });
  }
  return encoded ?? "null";
}

function hasPlainPrototype(error: TypeError): boolean {
  return getPrototypeOf(getPrototypeOf(getPrototypeOf(error))) === objectPrototype;
}
