// `env.QUEUE` and the global `queue`: the producer's API of Cloudflare Queues, with its limits, and groups.
import {
  Bytes, encodeUtf8, isArray, isView, jsonParse, jsonStringify, NativeDate, NativeError, toBase64,
} from "../../platform/intrinsics";
import { perform } from "../../platform/operations";

type ContentType = "text" | "bytes" | "json" | "v8";

interface SendOptions {
  contentType?: ContentType;
  delaySeconds?: number;
  /** Messages of one group are delivered one after another, if the consumer is ordered. */
  group?: string;
  /** Further headers of the message. */
  headers?: Record<string, unknown>;
}

interface MessageSendRequest extends SendOptions {
  body: unknown;
}

/** A message as the host takes it: the body's JSON, headers, and the delay in seconds. */
type Encoded = [unknown, Record<string, unknown> | null, number];

const maxMessages = 100;
const maxMessageBytes = 128_000;
const maxBatchBytes = 256_000;
const maxDelay = 86_400;

/** The header that says how a body that is no JSON was written. */
export const contentTypeHeader = "content-type";

function checkDelay(delay: unknown): number {
  if (delay === undefined || delay === null) return 0;
  if (typeof delay !== "number" || !(delay >= 0 && delay <= maxDelay)) {
    throw new TypeError(`delaySeconds must be a number of seconds from 0 to ${maxDelay}, not ${String(delay)}.`);
  }
  return delay;
}

function bytesOf(body: unknown): Uint8Array {
  if (body instanceof ArrayBuffer) return new Bytes(body);
  if (isView(body)) return new Bytes(body.buffer as ArrayBuffer, body.byteOffset, body.byteLength);
  throw new TypeError('With the content type "bytes", the body of a message must be an ArrayBuffer or a view of one.');
}

/** The body as JSON holds it, and its length in bytes. */
function encodeBody(body: unknown, type: ContentType): { value: unknown; length: number } {
  if (type === "bytes") {
    const bytes = bytesOf(body);
    return { value: toBase64(bytes), length: bytes.length };
  }
  if (type === "text") {
    if (typeof body !== "string") throw new TypeError('With the content type "text", the body of a message must be a string.');
    return { value: body, length: encodeUtf8(body).length };
  }
  if (type !== "json") {
    throw new TypeError(`The content type of a message must be "json", "text" or "bytes", not ${String(jsonStringify(type))}.`);
  }
  const text = jsonStringify(body);
  if (text === undefined) throw new TypeError("The body of a message must be a value that JSON can hold.");
  return { value: jsonParse(text), length: encodeUtf8(text).length };
}

function encode(body: unknown, options: SendOptions, delay: number): { message: Encoded; length: number } {
  const type = options.contentType ?? "json";
  const { value, length } = encodeBody(body, type);
  if (length > maxMessageBytes) {
    throw new NativeError(`Queue send failed: message length of ${length} bytes exceeds limit of ${maxMessageBytes}`);
  }
  const { group, headers } = options;
  if (headers !== undefined && (typeof headers !== "object" || headers === null || isArray(headers))) {
    throw new TypeError("The headers of a message must be an object.");
  }
  const all: Record<string, unknown> = { ...headers };
  if (group !== undefined) all["x-pgmq-group"] = String(group);
  if (type !== "json") all[contentTypeHeader] = type;
  const isBare = type === "json" && group === undefined && headers === undefined;
  return { message: [value, isBare ? null : all, delay], length };
}

/** A queue to which messages are sent. */
export class Queue {
  readonly #queue: string;

  constructor(queue: string) {
    this.#queue = queue;
  }

  /** Another queue (functions.create_queue). */
  queue(name: string): Queue {
    return new Queue(String(name));
  }

  /** Sends a message; resolves when it is stored. */
  async send(body: unknown, options: SendOptions = {}): Promise<unknown> {
    return await this.#send([encode(body, options, checkDelay(options.delaySeconds)).message]);
  }

  /** Sends messages, all or none of them. A message's own delay takes precedence over that of the options. */
  async sendBatch(messages: Iterable<MessageSendRequest>, options: { delaySeconds?: number } = {}): Promise<unknown> {
    const delay = checkDelay(options.delaySeconds);
    const encoded: Encoded[] = [];
    let bytes = 0;
    for (const request of messages) {
      const own = request.delaySeconds === undefined ? delay : checkDelay(request.delaySeconds);
      const { message, length } = encode(request.body, request, own);
      encoded[encoded.length] = message;
      bytes += length;
    }
    if (encoded.length === 0 || encoded.length > maxMessages) {
      throw new NativeError(`Queue sendBatch failed: ${encoded.length} messages are not in the range of 1 to ${maxMessages}.`);
    }
    if (bytes > maxBatchBytes) {
      throw new NativeError(`Queue sendBatch failed: batch size of ${bytes} bytes exceeds limit of ${maxBatchBytes}`);
    }
    return await this.#send(encoded);
  }

  /** How many messages wait, roughly how large they are, and when the oldest one was sent. */
  async metrics(): Promise<unknown> {
    return await perform("queue.metrics", jsonStringify({ queue: this.#queue })!, undefined, readMetrics);
  }

  #send(messages: Encoded[]): Promise<unknown> {
    return perform("queue.send", jsonStringify({ queue: this.#queue, messages })!, undefined, (text) => ({
      metadata: { metrics: readMetrics(text) },
    }));
  }
}

interface QueueMetrics {
  backlogCount: number;
  backlogBytes: number;
  oldestMessageTimestamp?: Date;
}

function readMetrics(text: string): QueueMetrics {
  return metricsOf(jsonParse(text) as Record<string, unknown>);
}

/** The host's figures, with the time as a Date. */
export function metricsOf(figures: Record<string, unknown>): QueueMetrics {
  const { backlogCount, backlogBytes, oldestMessageTimestamp } = figures;
  const metrics: QueueMetrics = { backlogCount: Number(backlogCount), backlogBytes: Number(backlogBytes) };
  if (oldestMessageTimestamp !== undefined) metrics.oldestMessageTimestamp = new NativeDate(String(oldestMessageTimestamp));
  return metrics;
}

/** The queue of every database. */
export const queue = new Queue("default");
