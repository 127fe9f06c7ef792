// The request of a webhook, for modules whose only handler for it is `fetch`.
import { encodeUtf8, fromBase64, objectKeys } from "../platform/intrinsics";
import { incomingRequest, type Request } from "../platform/web/request";

/** The members of a webhook's event that make the request. */
interface WebhookEvent {
  url: string;
  headers: Record<string, string>;
  raw_body: string | null;
  /** The body, if it is no text. */
  raw_body_base64?: string;
}

/** The request as the sender made it, with the same bytes in its body. */
export function webhookRequest(event: WebhookEvent): Request {
  const names = objectKeys(event.headers);
  const headers: [string, string][] = [];
  for (let i = 0; i < names.length; i++) headers[i] = [names[i]!, event.headers[names[i]!]!];
  const body = event.raw_body_base64 === undefined ? encodeUtf8(event.raw_body ?? "") : fromBase64(event.raw_body_base64);
  return incomingRequest({ method: "POST", url: event.url, headers }, body);
}
