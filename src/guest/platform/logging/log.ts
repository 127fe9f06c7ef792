// The `log` global, and the only function that sends lines to the host.
import { writeLog, type LogLevel } from "../host";
import { slice } from "../intrinsics";
import { format } from "./format";
import { inspect } from "./inspect";

/** The most characters of a line that are sent. The host keeps 8 KB, so much longer lines need not be copied. */
const maxCharacters = 16_384;

/** Writes one line of the invocation's log, formatted as console.log formats. */
export function logLine(level: LogLevel, args: readonly unknown[], indent = ""): void {
  const text = indent + format(args);
  writeLog(level, text.length > maxCharacters ? slice(text, 0, maxCharacters) : text);
}

/** Logs an error that the function did not catch. */
export function logUncaught(what: string, thrown: unknown): void {
  logLine("error", [`${what}: ${typeof thrown === "string" ? thrown : inspect(thrown)}`]);
}

export const log = {
  debug: (...args: unknown[]) => logLine("debug", args),
  info: (...args: unknown[]) => logLine("info", args),
  warn: (...args: unknown[]) => logLine("warn", args),
  error: (...args: unknown[]) => logLine("error", args),
};
