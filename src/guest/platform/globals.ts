// The globals of functions, beside those of the engine; docs/javascript.md lists both.
import { ai } from "../bindings/ai/ai";
import { cache } from "../bindings/cache/kv";
import { D1PreparedStatement } from "../bindings/database/d1";
import { db } from "../bindings/database/db";
import { queue } from "../bindings/queue/queue";
import { R2Object, R2ObjectBody } from "../bindings/storage/object";
import { storage } from "../bindings/storage/bucket";
import { settled } from "../invocation/current";
import { env } from "../invocation/environment";
import { console } from "./logging/console";
import { log, logUncaught } from "./logging/log";
import { AbortController, AbortSignal } from "./web/abort";
import { Blob, File } from "./web/blob";
import { performance } from "./web/clock";
import { CompressionStream, DecompressionStream } from "./web/compression";
import { Crypto, crypto } from "./web/crypto/crypto";
import { CryptoKey } from "./web/crypto/crypto-key";
import { SubtleCrypto } from "./web/crypto/subtle";
import { CustomEvent, ErrorEvent, Event, EventTarget } from "./web/events";
import { fetch } from "./web/fetch";
import { FormData } from "./web/form-data";
import { Headers } from "./web/headers";
import { MessageChannel, MessageEvent, MessagePort } from "./web/messages";
import { Request } from "./web/request";
import { Response } from "./web/response";
import { streamClasses, TextDecoderStream, TextEncoderStream } from "./web/streams";
import { refuseToClone, structuredClone } from "./web/structured-clone";
import { TextDecoder } from "./web/text-decoder";
import { clearTimeout, run, setInterval, setTimeout } from "./web/timers";
import { URL, URLSearchParams } from "./web/url";
import { URLPattern } from "./web/url-pattern";

/** The engine's own queueMicrotask would lose errors of the callback. */
function queueMicrotask(callback: unknown): void {
  if (typeof callback !== "function") throw new TypeError("queueMicrotask needs a function.");
  void runLater(callback as () => unknown);
}

async function runLater(callback: () => unknown): Promise<void> {
  await settled;
  run(callback, []);
}

const globals = {
  ai,
  db,
  cache,
  queue,
  storage,
  log,
  env,
  http: { fetch },
  console,
  crypto,
  performance,
  navigator: { userAgent: "Functions.PgSidecar" },
  fetch,
  queueMicrotask,
  reportError: (error: unknown) => logUncaught("Uncaught", error),
  setTimeout,
  setInterval,
  clearTimeout,
  clearInterval: clearTimeout,
  structuredClone,
  self: globalThis,
};

const classes = {
  ...streamClasses,
  AbortController,
  AbortSignal,
  Blob,
  CompressionStream,
  Crypto,
  CryptoKey,
  CustomEvent,
  DecompressionStream,
  ErrorEvent,
  Event,
  EventTarget,
  File,
  FormData,
  Headers,
  MessageChannel,
  MessageEvent,
  MessagePort,
  Request,
  Response,
  SubtleCrypto,
  TextDecoder,
  TextDecoderStream,
  TextEncoderStream,
  URL,
  URLPattern,
  URLSearchParams,
};

/** Defines the globals like those of browsers: writable, configurable and not enumerable. */
export function installGlobals(): void {
  for (const [name, value] of Object.entries({ ...globals, ...classes })) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }
  refuseToClone([...Object.values(classes), Promise, WeakMap, WeakSet, WeakRef] as (new () => object)[]);
  // The bundler renames classes that refer to themselves, but users see the names in logs.
  for (const [name, value] of Object.entries({ ...classes, D1PreparedStatement, R2Object, R2ObjectBody })) {
    Object.defineProperty(value, "name", { value: name });
  }
}
