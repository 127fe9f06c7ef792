// What the host's `invoke` carries, as JSON.

export interface IncomingRequest {
  method: string;
  url: string;
  headers: [string, string][];
}

export interface InvocationMessage {
  /** "http" wants a response; "event" wants a JSON result. */
  kind: "http" | "event";
  request?: IncomingRequest;
  /** The request's body is still arriving, and is to be read by operations. */
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
  env?: Record<string, string>;
  /** The time the invocation began, in milliseconds since 1970. */
  now?: number;
}
