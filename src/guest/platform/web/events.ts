// Event, CustomEvent and EventTarget (DOM standard, 2), without a tree, so a dispatch has one target and no phases.
import { logUncaught } from "../logging/log";
import { performance } from "./clock";

interface EventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}

/** Starts a dispatch; returns whether a listener asked to stop. */
let startDispatch: (event: Event, target: EventTarget) => () => boolean;

let endDispatch: (event: Event) => void;

export class Event {
  static readonly NONE = 0;
  static readonly CAPTURING_PHASE = 1;
  static readonly AT_TARGET = 2;
  static readonly BUBBLING_PHASE = 3;
  readonly type: string;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly composed: boolean;
  readonly isTrusted = false;
  readonly timeStamp = performance.now();
  #target: EventTarget | null = null;
  #prevented = false;
  #stopped = false;
  #dispatching = false;

  static {
    startDispatch = (event, target) => {
      event.#target = target;
      event.#dispatching = true;
      return () => event.#stopped;
    };
    endDispatch = (event) => {
      event.#dispatching = false;
      event.#stopped = false;
    };
  }

  constructor(type: string, init: EventInit = {}) {
    this.type = String(type);
    this.bubbles = Boolean(init.bubbles);
    this.cancelable = Boolean(init.cancelable);
    this.composed = Boolean(init.composed);
  }

  get target(): EventTarget | null {
    return this.#target;
  }

  get srcElement(): EventTarget | null {
    return this.#target;
  }

  /** Null when no dispatch is in progress. */
  get currentTarget(): EventTarget | null {
    return this.#dispatching ? this.#target : null;
  }

  get eventPhase(): number {
    return this.#dispatching ? Event.AT_TARGET : Event.NONE;
  }

  get returnValue(): boolean {
    return !this.#prevented;
  }

  set returnValue(value: boolean) {
    if (!value) this.preventDefault();
  }

  get defaultPrevented(): boolean {
    return this.#prevented;
  }

  preventDefault(): void {
    if (this.cancelable) this.#prevented = true;
  }

  stopPropagation(): void {}

  stopImmediatePropagation(): void {
    this.#stopped = true;
  }

  composedPath(): EventTarget[] {
    return this.#dispatching && this.#target ? [this.#target] : [];
  }

  get [Symbol.toStringTag](): string {
    return "Event";
  }
}

export class CustomEvent<T = unknown> extends Event {
  readonly detail: T | null;

  constructor(type: string, init: EventInit & { detail?: T } = {}) {
    super(type, init);
    this.detail = init.detail ?? null;
  }

  override get [Symbol.toStringTag](): string {
    return "CustomEvent";
  }
}

interface ErrorEventInit extends EventInit {
  message?: string;
  filename?: string;
  lineno?: number;
  colno?: number;
  error?: unknown;
}

/** The event for an error (HTML standard, 8.1.4.7). */
export class ErrorEvent extends Event {
  readonly message: string;
  readonly filename: string;
  readonly lineno: number;
  readonly colno: number;
  readonly error: unknown;

  constructor(type: string, init: ErrorEventInit = {}) {
    super(type, init);
    this.message = String(init.message ?? "");
    this.filename = String(init.filename ?? "");
    this.lineno = Number(init.lineno ?? 0);
    this.colno = Number(init.colno ?? 0);
    this.error = init.error;
  }

  override get [Symbol.toStringTag](): string {
    return "ErrorEvent";
  }
}

type Listener = ((event: Event) => void) | { handleEvent(event: Event): void };

interface ListenerOptions {
  once?: boolean;
  capture?: boolean;
  signal?: { readonly aborted: boolean; addEventListener(type: string, listener: Listener): void };
}

interface Registration {
  listener: Listener;
  capture: boolean;
  once: boolean;
}

/** The listeners of one type: in the order of adding, and indexed by listener, so that none has to be searched. */
interface Registrations {
  all: Set<Registration>;
  capturing: Map<Listener, Registration>;
  others: Map<Listener, Registration>;
}

function isCapture(options: ListenerOptions | boolean | undefined): boolean {
  return typeof options === "boolean" ? options : Boolean(options?.capture);
}

export class EventTarget {
  #types = new Map<string, Registrations>();

  addEventListener(type: string, listener: Listener | null, options?: ListenerOptions | boolean): void {
    if (listener === null || listener === undefined) return;
    const { once = false, signal } = typeof options === "object" && options !== null ? options : {};
    if (signal?.aborted) return;
    const capture = isCapture(options);
    const name = String(type);
    let registrations = this.#types.get(name);
    if (registrations === undefined) {
      registrations = { all: new Set(), capturing: new Map(), others: new Map() };
      this.#types.set(name, registrations);
    }
    const byListener = capture ? registrations.capturing : registrations.others;
    if (byListener.has(listener)) return;
    const registration = { listener, capture, once };
    byListener.set(listener, registration);
    registrations.all.add(registration);
    signal?.addEventListener("abort", () => this.removeEventListener(type, listener, { capture }));
  }

  removeEventListener(type: string, listener: Listener | null, options?: ListenerOptions | boolean): void {
    const registrations = this.#types.get(String(type));
    if (listener === null || registrations === undefined) return;
    const byListener = isCapture(options) ? registrations.capturing : registrations.others;
    const registration = byListener.get(listener);
    if (registration === undefined) return;
    byListener.delete(listener);
    registrations.all.delete(registration);
  }

  /** Calls the listeners in order; an error of one is logged and does not stop the others. */
  dispatchEvent(event: Event): boolean {
    const isStopped = startDispatch(event, this);
    const all = this.#types.get(event.type)?.all;
    for (const registration of [...(all ?? [])]) {
      const { listener, once, capture } = registration;
      if (!all!.has(registration)) continue;
      if (once) this.removeEventListener(event.type, listener, { capture });
      try {
        if (typeof listener === "function") listener.call(this, event);
        else listener.handleEvent(event);
      } catch (thrown) {
        logUncaught("Uncaught in an event listener", thrown);
      }
      if (isStopped()) break;
    }
    endDispatch(event);
    return !event.defaultPrevented;
  }

  get [Symbol.toStringTag](): string {
    return "EventTarget";
  }
}
