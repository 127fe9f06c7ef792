// console, as in the WHATWG Console standard, over the invocation's log.
import { now, type LogLevel } from "../host";
import { inspect } from "./inspect";
import { logLine } from "./log";
import { userStack } from "../stack-frames";

const counters = new Map<string, number>();
const timers = new Map<string, number>();
let indent = "";

function line(level: LogLevel, args: readonly unknown[]): void {
  logLine(level, args, indent);
}

function elapsed(label: string): string | undefined {
  const start = timers.get(label);
  if (start === undefined) line("warn", [`Timer '${label}' does not exist`]);
  return start === undefined ? undefined : `${label}: ${(now() - start).toFixed(3)}ms`;
}

const maxRows = 100;
const maxColumns = 100;

/** Rows of objects or arrays as columns; anything else is logged as it is. */
function table(data: unknown): void {
  if (typeof data !== "object" || data === null) return line("info", [data]);
  const rows = Object.entries(data).slice(0, maxRows);
  const names = new Set(["(index)"]);
  for (const [, row] of rows) {
    const keys = typeof row === "object" && row !== null ? Object.keys(row) : ["Values"];
    for (let i = 0; i < keys.length && names.size <= maxColumns; i++) names.add(keys[i]!);
  }
  const columns = [...names];
  const cells = rows.map(([index, row]) =>
    columns.map((column) => {
      if (column === "(index)") return index;
      const isObject = typeof row === "object" && row !== null;
      if (!isObject) return column === "Values" ? inspect(row) : "";
      return Object.hasOwn(row, column) ? inspect((row as Record<string, unknown>)[column]) : "";
    }),
  );
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((row) => row[i]!.length)));
  for (const row of [columns, ...cells]) {
    line("info", [row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ").trimEnd()]);
  }
}

export const console = {
  debug: (...args: unknown[]) => line("debug", args),
  log: (...args: unknown[]) => line("info", args),
  info: (...args: unknown[]) => line("info", args),
  warn: (...args: unknown[]) => line("warn", args),
  error: (...args: unknown[]) => line("error", args),
  trace: (...args: unknown[]) => line("debug", ["Trace:", ...args, `\n${userStack(new Error())}`]),
  dir: (value: unknown) => line("info", [inspect(value)]),
  dirxml: (...args: unknown[]) => line("info", args),
  table,
  assert(condition?: unknown, ...args: unknown[]): void {
    if (condition) return;
    if (typeof args[0] === "string") args[0] = `Assertion failed: ${args[0]}`;
    else args.unshift("Assertion failed");
    line("error", args);
  },
  group(...args: unknown[]): void {
    if (args.length > 0) line("info", args);
    indent += "  ";
  },
  groupCollapsed: (...args: unknown[]) => console.group(...args),
  groupEnd(): void {
    indent = indent.slice(2);
  },
  count(label = "default"): void {
    const count = (counters.get(label) ?? 0) + 1;
    counters.set(label, count);
    line("info", [`${label}: ${count}`]);
  },
  countReset(label = "default"): void {
    counters.delete(label);
  },
  time(label = "default"): void {
    timers.set(label, now());
  },
  timeLog(label = "default", ...args: unknown[]): void {
    const text = elapsed(label);
    if (text !== undefined) line("info", [text, ...args]);
  },
  timeEnd(label = "default"): void {
    const text = elapsed(label);
    timers.delete(label);
    if (text !== undefined) line("info", [text]);
  },
  clear: () => undefined,
};
