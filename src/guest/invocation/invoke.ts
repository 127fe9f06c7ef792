// The protocol's `bind` and `invoke`: from the module's entry to RESPOND or FAIL, and then DONE.
import { errorJson } from "../platform/errors";
import { done, fail } from "../platform/host";
import { hasOwn, jsonParse, jsonStringify, NativeError } from "../platform/intrinsics";
import { logUnhandledRejections } from "../platform/logging/rejections";
import { isResponse, responseHead, type Response } from "../platform/web/response";
import { incomingRequest } from "../platform/web/request";
import { readAll } from "../platform/web/streams";
import { incomingBody } from "../platform/web/wire-streams";
import { backgroundSettled, enter, type Invocation } from "./current";
import { describeEntry, findEntry, type Entry } from "./entry";
import { makeEnvironment } from "./environment";
import { HttpEvent } from "./event";
import type { InvocationMessage } from "./message";
import { respondEvent, respondHttp, respondWithResponse } from "./result";
import { webhookRequest } from "./webhook";
import { ExecutionContext, MessageBatch, ScheduledController } from "./workers";

let entry: Entry | undefined;

/** Chooses the module's entry, once, at deploy: the named export if a name is given. Throws if the exports have no entry. */
export function bind(namespace: Record<string, unknown>, name?: string): string {
  entry = findEntry(namespace, name);
  return jsonStringify(describeEntry(entry))!;
}

/** Starts the invocation. It answers by RESPOND or FAIL, and ends by DONE. */
export function invoke(text: string, bytes?: Uint8Array): void {
  const message = jsonParse(text) as InvocationMessage;
  const invocation: Invocation = {
    message,
    bytes,
    env: makeEnvironment(message.env),
    background: [],
    backgroundError: undefined,
  };
  enter(invocation);
  void run(invocation);
}

async function run(invocation: Invocation): Promise<void> {
  try {
    const { kind } = invocation.message;
    const { form, handler } = entry!;
    // The most common case needs no further promise.
    if (form === "handler" && kind === "http") {
      if (invocation.message.streams) invocation.bytes = await readAll(incomingBody());
      const pending = respondHttp(await handler!(new HttpEvent(invocation)));
      if (pending !== undefined) await pending;
    } else {
      await dispatch(invocation);
    }
  } catch (thrown) {
    fail(FailedWith.is(thrown) ? errorJson(thrown.thrown, thrown.details) : errorJson(thrown));
  }
  if (invocation.background.length > 0) await backgroundSettled(invocation);
  logUnhandledRejections();
  done(invocation.backgroundError === undefined ? "" : errorJson(invocation.backgroundError.thrown));
}

// Promises are awaited here, never returned: resolving an async function with a promise would call its `then`, which
// user code may have replaced.

async function dispatch(invocation: Invocation): Promise<void> {
  const { module, handler } = entry!;
  const { kind, trigger, event } = invocation.message;
  if (kind === "http") {
    if (module?.fetch === undefined) throw noHandler(trigger);
    await fetchHandler(invocation);
  } else if (trigger === "schedule" && module?.scheduled !== undefined) {
    await scheduledHandler(invocation);
  } else if (trigger === "queue" && module?.queue !== undefined) {
    await queueHandler(invocation);
  } else if (handler !== undefined) {
    const result = await handler(event);
    if (!invocation.message.answers) return void (await respondEvent(result));
    const pending = respondHttp(result);
    if (pending !== undefined) await pending;
  } else if (trigger === "webhook" && module?.fetch !== undefined) {
    await webhookHandler(invocation);
  } else {
    throw noHandler(trigger);
  }
}

const missing: Record<string, string> = {
  http: "its default export has no `fetch`",
  schedule: "its default export has no `scheduled`, and it exports no `handler`",
  queue: "its default export has no `queue`, and it exports no `handler`",
  webhook: "its default export has no `fetch`, and it exports no `handler`",
};

function noHandler(trigger: string): TypeError {
  const why = hasOwn(missing, trigger) ? missing[trigger] : "it exports no `handler`";
  return new TypeError(`The module has no handler for the trigger "${trigger}": ${why}.`);
}

async function fetchHandler(invocation: Invocation): Promise<void> {
  const { message, bytes } = invocation;
  const request = incomingRequest(message.request!, message.streams ? incomingBody() : bytes);
  const response = await entry!.module!.fetch!(request, invocation.env, new ExecutionContext());
  requireResponse(response);
  await respondWithResponse(response);
}

function requireResponse(value: unknown): asserts value is Response {
  if (!isResponse(value)) throw new TypeError("fetch must return a Response, or a promise of one.");
}

/**
 * Where nobody waits for the answer, it is dropped, and a status of failure is a failure: frameworks turn what a route
 * throws into a status, and the event would be lost.
 */
async function webhookHandler(invocation: Invocation): Promise<void> {
  const { answers, event } = invocation.message;
  const response = await entry!.module!.fetch!(webhookRequest(event as never), invocation.env, new ExecutionContext());
  requireResponse(response);
  if (answers) return void (await respondWithResponse(response));
  const { status } = responseHead(response);
  if (status < 200 || status > 399) throw new NativeError(`fetch answered the webhook with status ${status}.`);
  await throwBackgroundError(invocation);
  await respondEvent(null);
}

async function scheduledHandler(invocation: Invocation): Promise<void> {
  const controller = new ScheduledController(invocation.message.event as object);
  try {
    await entry!.module!.scheduled!(controller, invocation.env, new ExecutionContext());
    await throwBackgroundError(invocation);
  } catch (thrown) {
    throw new FailedWith(thrown, ScheduledController.outcome(controller));
  }
  await respondEvent(ScheduledController.outcome(controller));
}

async function queueHandler(invocation: Invocation): Promise<void> {
  const batch = new MessageBatch(invocation.message.event as object);
  try {
    await entry!.module!.queue!(batch, invocation.env, new ExecutionContext());
    await throwBackgroundError(invocation);
  } catch (thrown) {
    throw new FailedWith(thrown, { messages: MessageBatch.outcome(batch, true) });
  }
  await respondEvent(MessageBatch.outcome(batch, false));
}

/** A scheduled run or a batch fails if its handler or any background promise fails. */
async function throwBackgroundError(invocation: Invocation): Promise<void> {
  await backgroundSettled(invocation);
  if (invocation.backgroundError !== undefined) throw invocation.backgroundError.thrown;
}

/** A failure with additional members of FAIL for the host. */
class FailedWith {
  readonly #thrown: unknown;
  readonly details: object;

  constructor(thrown: unknown, details: object) {
    this.#thrown = thrown;
    this.details = details;
  }

  get thrown(): unknown {
    return this.#thrown;
  }

  /** Unlike instanceof, it calls no traps of a proxy. */
  static is(value: unknown): value is FailedWith {
    return typeof value === "object" && value !== null && #thrown in value;
  }
}
