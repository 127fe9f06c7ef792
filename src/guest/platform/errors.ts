// Converts errors to JSON for the host, and the host's JSON to errors.
import { defineProperty, jsonParse, jsonStringify, NativeError, objectKeys } from "./intrinsics";
import { inspect } from "./logging/inspect";
import { userStack } from "./stack-frames";

interface ErrorDescription {
  name: string;
  message: string;
  stack: string;
  code?: string;
}

/** Describes whatever a function threw, for FAIL and DONE. It never throws itself. */
export function describeError(thrown: unknown): ErrorDescription {
  try {
    if (thrown instanceof NativeError) {
      const description: ErrorDescription = {
        name: String(thrown.name),
        message: String(thrown.message),
        stack: userStack(thrown),
      };
      const code = (thrown as { code?: unknown }).code;
      if (typeof code === "string") description.code = code;
      return description;
    }
    return { name: "Error", message: typeof thrown === "string" ? thrown : `Thrown: ${inspect(thrown)}`, stack: "" };
  } catch {
    return { name: "Error", message: "The function threw a value that can't be described.", stack: "" };
  }
}

/** `describeError` as JSON, with additional members. */
export function errorJson(thrown: unknown, more?: object): string {
  return jsonStringify(more ? { ...describeError(thrown), ...more } : describeError(thrown))!;
}

/** The host's `{name, message, ...}` as an Error whose stack is where the operation was started. */
export function errorFromHost(text: string, site: { stack?: string }): Error {
  const { name, message, ...rest } = jsonParse(text) as { name?: string; message?: string };
  const error = errorNamed(name ?? "Error", message ?? "The operation failed.");
  const keys = objectKeys(rest);
  for (let i = 0; i < keys.length; i++) {
    // A DOMException's own `code` is an accessor on its prototype; a property with the host's code shadows it.
    defineValue(error, keys[i]!, (rest as Record<string, unknown>)[keys[i]!], true);
  }
  defineValue(error, "stack", userStack(site), false);
  return error;
}

function errorNamed(name: string, message: string): Error {
  switch (name) {
    case "Error":
      return new Error(message);
    case "TypeError":
      return new TypeError(message);
    case "RangeError":
      return new RangeError(message);
    case "AbortError":
    case "TimeoutError":
    case "NetworkError":
    case "OperationError":
    case "DataError":
    case "NotSupportedError":
      return new DOMException(message, name);
    default: {
      const error = new Error(message);
      defineValue(error, "name", name, false);
      return error;
    }
  }
}

function defineValue(target: object, name: string, value: unknown, enumerable: boolean): void {
  defineProperty(target, name, { value, enumerable, writable: true, configurable: true });
}
