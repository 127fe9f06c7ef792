// The JSON argument of the host's `invoke`.
import type { NamedBinding } from "./named";

export interface IncomingRequest {
  method: string;
  url: string;
  headers: [string, string][];
}

export interface InvocationMessage {
  /** "http" needs a response; "event" needs a JSON result. */
  kind: "http" | "event";
  request?: IncomingRequest;
  /** The request's body is still arriving and is read by operations. */
  streams?: boolean;
  path?: string;
  /** A repeated key has an array of values. */
  query?: Record<string, string | string[]>;
  user_id?: string | null;
  request_id?: string;
  /** "http", "database", "schedule", "queue", "webhook" ... */
  trigger: string;
  /** The payload, for kind "event". */
  event?: unknown;
  /** The result of the event is the answer to an HTTP request. */
  answers?: boolean;
  /** Variables, and the bindings that the function names. */
  env?: Record<string, string | NamedBinding>;
  /** The time the invocation began, in milliseconds since 1970. */
  now?: number;
}
