// MessageChannel and its ports (HTML standard, 9.4), within the single realm of a function.
import { settled } from "../../invocation/current";
import { Event, EventTarget } from "./events";
import { structuredClone } from "./structured-clone";

interface MessageEventInit {
  data?: unknown;
  origin?: string;
  lastEventId?: string;
  source?: object | null;
  ports?: MessagePort[];
}

export class MessageEvent extends Event {
  readonly data: unknown;
  readonly origin: string;
  readonly lastEventId: string;
  readonly source: object | null;
  readonly ports: readonly MessagePort[];

  constructor(type: string, init: MessageEventInit = {}) {
    super(type);
    this.data = init.data === undefined ? null : init.data;
    this.origin = String(init.origin ?? "");
    this.lastEventId = String(init.lastEventId ?? "");
    this.source = init.source ?? null;
    this.ports = Object.freeze([...(init.ports ?? [])]);
  }

  override get [Symbol.toStringTag](): string {
    return "MessageEvent";
  }
}

type MessageHandler = ((event: Event) => void) | null;

const creation = Symbol("a MessagePort");

let entangle: (port: MessagePort, other: MessagePort) => void;

export class MessagePort extends EventTarget {
  #other: MessagePort | undefined;
  /** Messages that arrived before the port was started. */
  #waiting: unknown[] | undefined = [];
  #handler: MessageHandler = null;

  static {
    entangle = (port, other) => (port.#other = other);
  }

  constructor(token?: symbol) {
    super();
    if (token !== creation) throw new TypeError("Illegal constructor: use MessageChannel.");
  }

  postMessage(message: unknown, options?: Iterable<unknown> | { transfer?: Iterable<unknown> }): void {
    const transfer = options !== undefined && Symbol.iterator in options ? options : options?.transfer;
    const data = structuredClone(message, transfer === undefined ? {} : { transfer });
    const other = this.#other;
    if (other === undefined) return;
    if (other.#waiting) other.#waiting.push(data);
    else void other.#deliver(data);
  }

  start(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const data of waiting) void this.#deliver(data);
  }

  close(): void {
    if (this.#other) this.#other.#other = undefined;
    this.#other = undefined;
  }

  get onmessage(): MessageHandler {
    return this.#handler;
  }

  set onmessage(handler: MessageHandler) {
    if (this.#handler) this.removeEventListener("message", this.#handler);
    this.#handler = typeof handler === "function" ? handler : null;
    if (this.#handler) this.addEventListener("message", this.#handler);
    this.start();
  }

  async #deliver(data: unknown): Promise<void> {
    await settled;
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  override get [Symbol.toStringTag](): string {
    return "MessagePort";
  }
}

export class MessageChannel {
  readonly port1 = new MessagePort(creation);
  readonly port2 = new MessagePort(creation);

  constructor() {
    entangle(this.port1, this.port2);
    entangle(this.port2, this.port1);
  }

  get [Symbol.toStringTag](): string {
    return "MessageChannel";
  }
}
