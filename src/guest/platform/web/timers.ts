// Timers (HTML standard, 8.6): each is a host operation. They don't keep an invocation alive; `ctx.waitUntil` does.
import { currentInvocation } from "../../invocation/current";
import { apply } from "../intrinsics";
import { logUncaught } from "../logging/log";
import { begin, cancel } from "../operations";

type Callback = (...args: unknown[]) => unknown;

/** The host operation that each running timer waits for, by the timer's id. */
const operations: Record<number, number> = Object.create(null);
let lastTimer = 0;

/** The longest wait that browsers allow, in milliseconds; longer timers fire at once. */
const longest = 2_147_483_647;

function delayOf(delay: unknown): number {
  const milliseconds = Math.trunc(Number(delay));
  return milliseconds > 0 && milliseconds <= longest ? milliseconds : 0;
}

function start(timer: number, delay: number, callback: Callback, args: unknown[], repeat: boolean): void {
  operations[timer] = begin("timer", '{"ms":' + delay + "}", undefined, (failed) => {
    if (failed || operations[timer] === undefined) return;
    if (repeat) start(timer, delay, callback, args, true);
    else delete operations[timer];
    run(callback, args);
  });
}

/** Runs a callback and logs its error, which would otherwise be lost. */
export function run(callback: Callback, args: unknown[]): void {
  try {
    apply(callback, globalThis, args);
  } catch (thrown) {
    logUncaught("Uncaught", thrown);
  }
}

function begun(what: string, callback: unknown, delay: unknown, args: unknown[], repeat: boolean): number {
  currentInvocation(what);
  if (typeof callback !== "function") throw new TypeError(`${what} needs a function.`);
  const timer = ++lastTimer;
  start(timer, delayOf(delay), callback as Callback, args, repeat);
  return timer;
}

export function setTimeout(callback: unknown, delay?: unknown, ...args: unknown[]): number {
  return begun("setTimeout", callback, delay, args, false);
}

export function setInterval(callback: unknown, delay?: unknown, ...args: unknown[]): number {
  return begun("setInterval", callback, delay, args, true);
}

/** Stops a timer of either kind; an unknown id is ignored. */
export function clearTimeout(timer?: unknown): void {
  const operation = operations[timer as number];
  if (operation === undefined) return;
  delete operations[timer as number];
  cancel(operation);
}
