// The event of the handler form, for an HTTP request.
import { Bytes, charCodeAt, decodeUtf8, jsonParse, toLowerCase } from "../platform/intrinsics";
import { currentInvocation, type Invocation } from "./current";
import type { IncomingRequest } from "./message";

/** The argument of `handler(event)` for an HTTP request. */
export class HttpEvent {
  trigger: string;
  method: string;
  path: string;
  /** Lower-case names; a repeated header's values are joined by ", ". */
  headers: Record<string, string>;
  query: Record<string, string | string[]>;
  /** The parsed body if it is JSON, else its text; null if it is empty. */
  body: unknown;
  user_id: string | null;
  request_id: string;

  constructor({ message, bytes }: Invocation) {
    const request = message.request!;
    this.trigger = message.trigger;
    this.method = request.method;
    this.path = message.path ?? "/";
    this.headers = headersObject(request);
    this.query = message.query ?? {};
    this.body = parseBody(bytes);
    this.user_id = message.user_id ?? null;
    this.request_id = message.request_id ?? "";
  }

  /** The raw bytes of the body, for formats other than JSON and text. */
  bytes(): Uint8Array {
    return currentInvocation("event.bytes").bytes ?? new Bytes(0);
  }
}

function headersObject(request: IncomingRequest): Record<string, string> {
  const headers: Record<string, string> = { __proto__: null } as never;
  for (let i = 0; i < request.headers.length; i++) {
    const pair = request.headers[i]!;
    const name = toLowerCase(pair[0]);
    const earlier = headers[name];
    headers[name] = earlier === undefined ? pair[1] : earlier + ", " + pair[1];
  }
  return headers;
}

function parseBody(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined || bytes.length === 0) return null;
  const text = decodeUtf8(bytes);
  if (!mayBeJson(text)) return text;
  try {
    return jsonParse(text);
  } catch {
    return text;
  }
}

/** Whether the text starts like JSON; avoids the cost of a thrown SyntaxError for plain text. */
function mayBeJson(text: string): boolean {
  let at = 0;
  while (at < text.length && charCodeAt(text, at) <= 0x20) at++;
  const first = charCodeAt(text, at);
  // { [ " - t f n and digits
  return (
    first === 0x7b || first === 0x5b || first === 0x22 || first === 0x2d ||
    first === 0x74 || first === 0x66 || first === 0x6e || (first >= 0x30 && first <= 0x39)
  );
}
