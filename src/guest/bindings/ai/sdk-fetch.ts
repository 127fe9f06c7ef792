// `env.AI.fetch`: requests of SDKs in OpenAI's protocol, answered by the gateway for the invocation's caller.
import { currentInvocation } from "../../invocation/current";
import { encodeUtf8, jsonParse, jsonStringify, slice, startsWith } from "../../platform/intrinsics";
import { takeContent } from "../../platform/web/body";
import { Request, type RequestInit } from "../../platform/web/request";
import { fetchedResponse, type FetchAnswer, type Response } from "../../platform/web/response";
import { URL } from "../../platform/web/url";
import { performUnlessAborted } from "./aborted";
import { answerStream } from "./answer-stream";

/** The path of the sidecar's own endpoint, which an SDK may be given as its base URL. */
const ownPath = "/functions/v1/ai/";

/** The path below `/v1`, whatever stands before it: the base URL that an SDK has by itself is as good as any. */
function pathOf(url: string): string {
  const { pathname } = new URL(url);
  if (startsWith(pathname, ownPath)) return decodeURIComponent(slice(pathname, ownPath.length - 1));
  const version = pathname.indexOf("/v1/");
  return decodeURIComponent(version < 0 ? pathname : slice(pathname, version + 3));
}

/** The headers that the gateway reads. Credentials stay in the function: the caller of the invocation asks. */
function headersOf(request: Request): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of request.headers) if (startsWith(name, "cf-aig-")) headers[name] = value;
  return headers;
}

/** Answers failures with OpenAI's error object and its status, as the fetch of a server would. */
export async function fetchModel(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  currentInvocation("env.AI");
  const request = input instanceof Request && init === undefined ? input : new Request(input, init);
  const { signal, method, url } = request;
  signal.throwIfAborted();
  const text = jsonStringify({ method, path: pathOf(url), headers: headersOf(request) })!;
  const content = await takeContent(request);
  signal.throwIfAborted();
  const bytes = typeof content === "string" ? encodeUtf8(content) : content;
  return await performUnlessAborted("ai.fetch", text, bytes, signal, (answer, body) => {
    const head = jsonParse(answer) as FetchAnswer;
    const whole = { ...head, statusText: "", url, redirected: false };
    return fetchedResponse(whole, head.stream === undefined ? body : answerStream(head.stream, signal));
  });
}
