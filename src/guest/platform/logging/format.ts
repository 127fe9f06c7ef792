// console's format: %s %d %i %f %j %o %O %c %% in the first argument, then the rest with spaces between.
import { inspect } from "./inspect";

/** Formats the arguments of a console or log call as one string. */
export function format(args: readonly unknown[]): string {
  const first = args[0];
  if (args.length === 1) return text(first);
  let next = 0;
  let line = "";
  if (typeof first === "string") {
    next = 1;
    line = first.replace(/%[sdifjoOc%]/g, (directive) => {
      if (directive === "%%") return "%";
      return next < args.length ? substitute(directive, args[next++]) : directive;
    });
  }
  for (; next < args.length; next++) line += (next === 0 ? "" : " ") + text(args[next]);
  return line;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : inspect(value);
}

function substitute(directive: string, value: unknown): string {
  switch (directive) {
    case "%s":
      return typeof value === "symbol" || (typeof value === "object" && value !== null) ? inspect(value) : String(value);
    case "%d":
    case "%f":
      return typeof value === "bigint" ? `${value}n` : number(value, Number);
    case "%i":
      return typeof value === "bigint" ? `${value}n` : number(value, (item) => Number.parseInt(String(item), 10));
    case "%j":
      return json(value);
    case "%c":
      return "";
    default:
      return inspect(value);
  }
}

function number(value: unknown, convert: (value: unknown) => number): string {
  return typeof value === "symbol" || typeof value === "object" ? "NaN" : String(convert(value));
}

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "undefined";
  } catch {
    return "[Circular]";
  }
}
