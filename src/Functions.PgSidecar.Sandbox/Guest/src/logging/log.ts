// The `log` global, and the one way by which a line reaches the host.
import { writeLog, type LogLevel } from "../host";
import { slice } from "../intrinsics";
import { format } from "./format";
import { inspect } from "./inspect";

/** Characters of a line that are handed over. The host keeps 8 KB; what is far beyond it need not be copied. */
const maxCharacters = 16_384;

/** Writes one line of the invocation's log, formatted as console.log formats. */
export function logLine(level: LogLevel, args: readonly unknown[], indent = ""): void {
  const text = indent + format(args);
  writeLog(level, text.length > maxCharacters ? slice(text, 0, maxCharacters) : text);
}

/** Logs an error that no code of the function's caught. */
export function logUncaught(what: string, thrown: unknown): void {
  logLine("error", [`${what}: ${typeof thrown === "string" ? thrown : inspect(thrown)}`]);
}

export const log = {
  debug: (...args: unknown[]) => logLine("debug", args),
  info: (...args: unknown[]) => logLine("info", args),
  warn: (...args: unknown[]) => logLine("warn", args),
  error: (...args: unknown[]) => logLine("error", args),
};
