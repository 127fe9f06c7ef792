// AbortController and AbortSignal (DOM standard, 3).
import { Event, EventTarget } from "./events";
import { setTimeout } from "./timers";

const creation = Symbol("an AbortSignal");

let abortSignal: (signal: AbortSignal, reason: unknown) => void;

type AbortHandler = ((event: Event) => void) | null;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown;
  #handler: AbortHandler = null;

  static {
    abortSignal = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? new DOMException("The operation was aborted.", "AbortError") : reason;
      signal.dispatchEvent(new Event("abort"));
    };
  }

  constructor(token?: symbol) {
    super();
    if (token !== creation) throw new TypeError("Illegal constructor: use AbortController, or AbortSignal.timeout().");
  }

  /** A signal that is already aborted. */
  static abort(reason?: unknown): AbortSignal {
    const signal = new AbortSignal(creation);
    abortSignal(signal, reason);
    return signal;
  }

  /** A signal that is aborted with a TimeoutError after a number of milliseconds. */
  static timeout(milliseconds: number): AbortSignal {
    const signal = new AbortSignal(creation);
    const expire = () => abortSignal(signal, new DOMException("The operation timed out.", "TimeoutError"));
    setTimeout(expire, milliseconds);
    return signal;
  }

  /** A signal that is aborted as soon as one of the given signals is. */
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const any = new AbortSignal(creation);
    for (const signal of signals) {
      if (signal.#aborted) {
        abortSignal(any, signal.#reason);
        return any;
      }
      signal.addEventListener("abort", () => abortSignal(any, signal.#reason), { once: true });
    }
    return any;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }

  get onabort(): AbortHandler {
    return this.#handler;
  }

  set onabort(handler: AbortHandler) {
    if (this.#handler) this.removeEventListener("abort", this.#handler);
    this.#handler = typeof handler === "function" ? handler : null;
    if (this.#handler) this.addEventListener("abort", this.#handler);
  }

  override get [Symbol.toStringTag](): string {
    return "AbortSignal";
  }
}

export class AbortController {
  readonly signal = new AbortSignal(creation);

  abort(reason?: unknown): void {
    abortSignal(this.signal, reason);
  }

  get [Symbol.toStringTag](): string {
    return "AbortController";
  }
}
