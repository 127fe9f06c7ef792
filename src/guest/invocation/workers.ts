// The Workers form: its context object, and the controller and batch of its scheduled and queue handlers.
import { contentTypeHeader, metricsOf } from "../bindings/queue/queue";
import { fromBase64, hasOwn, NativeDate } from "../platform/intrinsics";
import { waitUntil } from "./current";

/** `ctx`, the third argument of the Workers handlers. */
export class ExecutionContext {
  readonly props: Record<string, unknown> = {};

  /** Keeps the invocation running until the promise settles, after the response has been sent. */
  waitUntil(promise: unknown): void {
    waitUntil(promise);
  }

  /** Does nothing: no origin server stands behind a function. */
  passThroughOnException(): void {}
}

interface ScheduleEvent {
  cron?: string;
  scheduled_time?: string | number;
}

/** The first argument of `scheduled`. */
export class ScheduledController {
  readonly type = "scheduled";
  readonly cron: string;
  /** Milliseconds since 1970. */
  readonly scheduledTime: number;
  #retry = true;

  constructor(event: ScheduleEvent) {
    this.cron = event.cron ?? "";
    this.scheduledTime = new NativeDate(event.scheduled_time ?? NaN).getTime();
  }

  /** A failure of this run is final. */
  noRetry(): void {
    this.#retry = false;
  }

  /** Members for the host beside the outcome. */
  static outcome(controller: ScheduledController): { noRetry?: true } {
    return controller.#retry ? {} : { noRetry: true };
  }
}

interface QueueMessageData {
  id: string;
  timestamp: string | number;
  body: unknown;
  attempts: number;
  headers?: Record<string, unknown>;
}

interface QueueEvent {
  queue?: string;
  messages?: QueueMessageData[];
  metrics?: Record<string, unknown>;
}

interface RetryOptions {
  delaySeconds?: number;
}

type Verdict = { ack: true } | { retry: true; delaySeconds?: number };

export interface QueueOutcome {
  acks: string[];
  retries: { id: string; delaySeconds?: number }[];
}

function retryVerdict(options: RetryOptions | undefined): Verdict {
  const delaySeconds = options?.delaySeconds;
  return delaySeconds === undefined ? { retry: true } : { retry: true, delaySeconds };
}

/** The body as it was sent: bytes are base64 in the queue. Others than `env.QUEUE` may write the header too. */
function decodeBody(body: unknown, headers: Record<string, unknown>): unknown {
  const isBytes = hasOwn(headers, contentTypeHeader) && headers[contentTypeHeader] === "bytes";
  if (!isBytes || typeof body !== "string") return body;
  try {
    return fromBase64(body).buffer;
  } catch {
    return body;
  }
}

/** A queue's message; the first call of `ack` or `retry` counts. */
export class QueueMessage {
  readonly id: string;
  readonly timestamp: Date;
  readonly body: unknown;
  /** From 1. */
  readonly attempts: number;
  /** What was sent beside the body: `x-pgmq-group`, `x-dead-letter` and the sender's own. */
  readonly headers: Record<string, unknown>;
  #verdict: Verdict | undefined;

  constructor(data: QueueMessageData) {
    this.id = String(data.id);
    this.timestamp = new NativeDate(data.timestamp);
    this.headers = data.headers ?? {};
    this.body = decodeBody(data.body, this.headers);
    this.attempts = data.attempts;
  }

  ack(): void {
    this.#verdict ??= { ack: true };
  }

  retry(options?: RetryOptions): void {
    this.#verdict ??= retryVerdict(options);
  }

  static verdict(message: QueueMessage): Verdict | undefined {
    return message.#verdict;
  }
}

/** The first argument of `queue`. A call on a message takes precedence over one on the batch. */
export class MessageBatch {
  readonly queue: string;
  readonly messages: readonly QueueMessage[];
  readonly metadata: { metrics: ReturnType<typeof metricsOf> };
  #verdict: Verdict | undefined;

  constructor(event: QueueEvent) {
    this.queue = event.queue ?? "";
    this.metadata = { metrics: metricsOf(event.metrics ?? { backlogCount: 0, backlogBytes: 0 }) };
    this.messages = (event.messages ?? []).map((data) => new QueueMessage(data));
  }

  ackAll(): void {
    this.#verdict ??= { ack: true };
  }

  retryAll(options?: RetryOptions): void {
    this.#verdict ??= retryVerdict(options);
  }

  /** The outcome of every message: without a call it is acked, or retried if the handler failed. */
  static outcome(batch: MessageBatch, failed: boolean): QueueOutcome {
    const outcome: QueueOutcome = { acks: [], retries: [] };
    for (const message of batch.messages) {
      const verdict = QueueMessage.verdict(message) ?? batch.#verdict ?? (failed ? { retry: true } : { ack: true });
      if ("ack" in verdict) outcome.acks.push(message.id);
      else outcome.retries.push({ id: message.id, ...(verdict.delaySeconds === undefined ? {} : { delaySeconds: verdict.delaySeconds }) });
    }
    return outcome;
  }
}
