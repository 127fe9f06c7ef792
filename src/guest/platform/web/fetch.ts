// fetch: one operation of the host sends the request. A body that is not short follows its answer.
import { currentInvocation } from "../../invocation/current";
import { errorFromHost } from "../errors";
import { encodeUtf8, jsonParse, jsonStringify, NativeError, NativePromise } from "../intrinsics";
import { begin, cancel, perform } from "../operations";
import { takeContent } from "./body";
import { Request, type RequestInit } from "./request";
import { fetchedResponse, type FetchAnswer, type Response } from "./response";
import type { AbortSignal } from "./abort";
import type { URL } from "./url";
import { arrivingStream } from "./wire-streams";

/** Rejects with a TypeError if the host refuses or fails to send, and with the signal's reason if it is aborted. */
export async function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  currentInvocation("fetch");
  const site = new NativeError();
  const request = input instanceof Request && init === undefined ? input : new Request(input, init);
  const { signal } = request;
  signal.throwIfAborted();
  const { method, url, redirect } = request;
  const text = jsonStringify({ method, url, redirect, headers: [...request.headers] })!;
  const content = await takeContent(request);
  signal.throwIfAborted();
  const bytes = typeof content === "string" ? encodeUtf8(content) : content;
  return new NativePromise<Response>((resolve, reject) => {
    const abort = () => {
      cancel(operation);
      reject(signal.reason);
    };
    const operation = begin("fetch", text, bytes, (failed, answer, answerBytes) => {
      signal.removeEventListener("abort", abort);
      if (failed) reject(errorFromHost(answer, site));
      else resolve(responseTo(jsonParse(answer) as FetchAnswer, answerBytes, signal));
    });
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** A streamed body ends with an error if the signal is aborted meanwhile. */
function responseTo(answer: FetchAnswer, bytes: Uint8Array | undefined, signal: AbortSignal): Response {
  const { stream } = answer;
  if (stream === undefined) return fetchedResponse(answer, bytes);
  const text = '{"stream":' + stream + "}";
  const stop = () => void perform("fetch.cancel", text, undefined, () => undefined).catch(() => undefined);
  return fetchedResponse(answer, arrivingStream("fetch.read", text, stop, signal));
}
