// Finds the export of a module that the host calls.
import { getOwnNames, hasOwn } from "../platform/intrinsics";

type Callable = (...args: unknown[]) => unknown;

const workersHandlers = ["fetch", "scheduled", "queue"] as const;
type WorkersHandler = (typeof workersHandlers)[number];

export interface Entry {
  form: "workers" | "handler";
  /** The export's name: "default", "handler", or the single function's. */
  name: string;
  /** The object of the Workers form (usually the default export), the receiver of its handlers. */
  module?: Record<WorkersHandler, Callable | undefined>;
  /** The function of the handler form; with the Workers form, an additional `handler` export for other events. */
  handler?: Callable;
}

const advice =
  "Export `async function handler(event)`, or a default object with `fetch(request, env, ctx)`, `scheduled` or `queue`.";

/**
 * Finds the entry in a module's namespace: the export of the given name, else the default export's Workers handlers, else
 * `handler`, else the only function. If there is none, the TypeError says what to export.
 */
export function findEntry(namespace: Record<string, unknown>, wanted: string | undefined): Entry {
  if (wanted !== undefined) return namedEntry(namespace, wanted);
  const fallback = namespace["default"] as Record<string, unknown> | null | undefined;
  const handler = namespace["handler"];
  if (isWorkersModule(fallback)) {
    const entry: Entry = { form: "workers", name: "default", module: fallback };
    if (typeof handler === "function") entry.handler = handler as Callable;
    return entry;
  }
  if (typeof handler === "function") return { form: "handler", name: "handler", handler: handler as Callable };
  return soleFunction(namespace);
}

/** The names under which an entry can be called, for the registry. */
export function describeEntry(entry: Entry): { form: string; entry: string; handlers: string[] } {
  const handlers: string[] = workersHandlers.filter((name) => typeof entry.module?.[name] === "function");
  if (entry.handler) handlers.push(entry.form === "workers" ? "handler" : entry.name);
  return { form: entry.form, entry: entry.name, handlers };
}

function namedEntry(namespace: Record<string, unknown>, name: string): Entry {
  const value = hasOwn(namespace, name) ? namespace[name] : undefined;
  if (isWorkersModule(value)) return { form: "workers", name, module: value };
  if (typeof value === "function") return { form: "handler", name, handler: value as Callable };
  throw new TypeError(`The module exports no function named "${name}", which its option \`handler\` asks for.`);
}

function isWorkersModule(value: unknown): value is Record<WorkersHandler, Callable | undefined> {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return false;
  return workersHandlers.some((name) => typeof (value as Record<string, unknown>)[name] === "function");
}

function soleFunction(namespace: Record<string, unknown>): Entry {
  const names = getOwnNames(namespace);
  const functions = names.filter((name) => typeof namespace[name] === "function");
  if (functions.length === 1) {
    const name = functions[0]!;
    return { form: "handler", name, handler: namespace[name] as Callable };
  }
  const found =
    functions.length > 1
      ? `The module exports ${functions.length} functions (${functions.join(", ")}) and none is named \`handler\`.`
      : names.length === 0
        ? "The module exports nothing."
        : `The module exports no function (only ${names.join(", ")}).`;
  throw new TypeError(`${found} ${advice}`);
}
