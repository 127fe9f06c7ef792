// Formats values for log lines: limited in depth, safe for cycles, never throwing.
import { userStack } from "../stack-frames";

const maxDepth = 4;
const maxItems = 100;
const maxLine = 76;
const maxString = 10_000;

/** The most values in one text: a small tree of shared references can unfold into millions. */
const maxValues = 2_000;

/** The objects that contain the current value, and how many more values may be shown. */
interface Progress {
  around: object[];
  left: number;
}

/** Formats a value; strings are quoted, as inside objects. */
export function inspect(value: unknown): string {
  try {
    return show(value, { around: [], left: maxValues }, "");
  } catch (error) {
    return `[uninspectable: ${error instanceof Error ? error.message : typeof error}]`;
  }
}

function show(value: unknown, progress: Progress, indent: string): string {
  if (progress.left-- <= 0) return "...";
  switch (typeof value) {
    case "string":
      return quote(value);
    case "bigint":
      return `${value}n`;
    case "symbol":
      return value.toString();
    case "function":
      return showFunction(value);
    case "object":
      return value === null ? "null" : showObject(value, progress, indent);
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}

function quote(text: string): string {
  const kept = text.length > maxString ? `${text.slice(0, maxString)}...` : text;
  return kept.includes("'") ? JSON.stringify(kept) : `'${JSON.stringify(kept).slice(1, -1).replaceAll('\\"', '"')}'`;
}

function showFunction(value: Function): string {
  const kind = /^class\b/.test(Function.prototype.toString.call(value)) ? "class" : "Function";
  return `[${kind}${value.name ? `: ${value.name}` : " (anonymous)"}]`;
}

function showObject(value: object, progress: Progress, indent: string): string {
  if (progress.around.includes(value)) return "[Circular]";
  const scalar = showScalar(value, progress);
  if (scalar !== undefined) return scalar;
  const name = constructorName(value);
  if (progress.around.length > maxDepth) return Array.isArray(value) ? "[Array]" : `[${name || "Object"}]`;
  progress.around.push(value);
  const inner = `${indent}  `;
  const parts = showParts(value, progress, inner);
  progress.around.pop();
  const [open, close] = Array.isArray(value) || ArrayBuffer.isView(value) ? ["[", "]"] : ["{", "}"];
  const prefix = showPrefix(value, name);
  if (value instanceof Error) return parts.length === 0 ? prefix : `${prefix} ${join(parts, "{", "}", indent)}`;
  return prefix + join(parts, open!, close!, indent);
}

function join(parts: string[], open: string, close: string, indent: string): string {
  if (parts.length === 0) return open + close;
  const line = parts.join(", ");
  if (line.length + indent.length <= maxLine && !line.includes("\n")) return `${open} ${line} ${close}`;
  return `${open}\n${indent}  ${parts.join(`,\n${indent}  `)}\n${indent}${close}`;
}

/** Objects that wrap one value. */
function showScalar(value: object, progress: Progress): string | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (value instanceof Promise) return "Promise {}";
  if (value instanceof WeakMap || value instanceof WeakSet) return `${constructorName(value)} {}`;
  if (value instanceof String || value instanceof Number || value instanceof Boolean) {
    return `[${constructorName(value)}: ${show(value.valueOf(), progress, "")}]`;
  }
  return undefined;
}

function showPrefix(value: object, name: string): string {
  if (value instanceof Error) {
    const stack = userStack(value).trimEnd();
    return `${value.name}: ${value.message}${stack === "" ? "" : `\n${stack}`}`;
  }
  if (value instanceof Map || value instanceof Set) return `${name}(${value.size}) `;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return `${name}(${(value as Uint8Array).length}) `;
  }
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${value.byteLength}) `;
  if (Array.isArray(value)) return name === "Array" ? "" : `${name}(${value.length}) `;
  return name === "Object" || name === "" ? "" : `${name} `;
}

function showParts(value: object, progress: Progress, indent: string): string[] {
  const parts: string[] = [];
  const each = (item: unknown) => show(item, progress, indent);
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    const items = value as ArrayLike<unknown>;
    let shown = 0;
    while (shown < items.length && shown < maxItems && progress.left > 0) parts.push(each(items[shown++]));
    if (items.length > shown) parts.push(`... ${items.length - shown} more items`);
    return parts;
  }
  if (value instanceof Map) for (const [key, item] of take(value)) parts.push(`${each(key)} => ${each(item)}`);
  if (value instanceof Set) for (const item of take(value)) parts.push(each(item));
  for (const [name, item] of take(loggedEntries(value))) parts.push(`${name}: ${each(item)}`);
  showProperties(value, parts, progress, each);
  return parts;
}

function showProperties(value: object, parts: string[], progress: Progress, each: (item: unknown) => string): void {
  const isError = value instanceof Error;
  let left = maxItems;
  for (const key of Reflect.ownKeys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property === undefined || (!property.enumerable && !(isError && key === "cause"))) continue;
    if (left-- === 0 || progress.left <= 0) {
      parts.push("...");
      return;
    }
    const label = typeof key === "symbol" ? `[${key.toString()}]` : /^[\w$]+$/.test(key) ? key : quote(key);
    parts.push(`${label}: ${"value" in property ? each(property.value) : showAccessor(property)}`);
  }
}

function showAccessor(property: PropertyDescriptor): string {
  if (property.get && property.set) return "[Getter/Setter]";
  return property.get ? "[Getter]" : "[Setter]";
}

/** The members that an object of a web API (a Request, Headers ...) shows of its hidden state. */
export const loggedState = Symbol("logged state");

function loggedEntries(value: object): Iterable<[string, unknown]> {
  const describe = (value as { [loggedState]?: () => Iterable<[string, unknown]> })[loggedState];
  return typeof describe === "function" ? describe.call(value) : [];
}

function* take<T>(items: Iterable<T>): Generator<T> {
  let left = maxItems;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}

function constructorName(value: object): string {
  for (let at: object | null = value; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const property = Object.getOwnPropertyDescriptor(at, "constructor");
    if (property && typeof property.value === "function") return property.value.name;
  }
  return "";
}
