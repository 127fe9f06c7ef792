// `env`: the function's variables and its bindings, as the argument of the Workers form and as the global of the handler form.
import { hasOwn, objectKeys } from "../platform/intrinsics";
import { ai } from "../bindings/ai/ai";
import { cache } from "../bindings/cache/kv";
import { database } from "../bindings/database/d1";
import { queue } from "../bindings/queue/queue";
import { storage } from "../bindings/storage/bucket";
import { vectorize } from "../bindings/vectors/vectorize";
import { currentInvocation } from "./current";
import { openBinding, type NamedBinding } from "./named";

/** The `env` of one invocation: its variables, and the bindings, which take precedence over variables of the same name. */
export function makeEnvironment(given: Record<string, string | NamedBinding> | undefined): Record<string, unknown> {
  const environment: Record<string, unknown> = given ?? {};
  const names = objectKeys(environment);
  for (let i = 0; i < names.length; i++) {
    const value = environment[names[i]!];
    if (typeof value !== "string") environment[names[i]!] = openBinding(value as NamedBinding);
  }
  environment["AI"] = ai;
  environment["DB"] = database;
  environment["CACHE"] = cache;
  environment["QUEUE"] = queue;
  environment["STORAGE"] = storage;
  environment["VECTORIZE"] = vectorize;
  return environment;
}

function read(name: string): unknown {
  const { env } = currentInvocation("env");
  return hasOwn(env, name) ? env[name] : undefined;
}

function refuse(): never {
  throw new TypeError("env is read-only.");
}

const target = Object.setPrototypeOf((name: string) => read(name), null) as object;
for (const name of Reflect.ownKeys(target)) Reflect.deleteProperty(target, name);

/** The global: `env("KEY")` and `env.KEY`; unknown names are undefined. */
export const env = new Proxy(target, {
  apply: (_target, _self, args: unknown[]) => {
    const value = read(String(args[0]));
    return typeof value === "string" ? value : undefined;
  },
  get: (_target, name) => (typeof name === "string" ? read(name) : undefined),
  has: (_target, name) => typeof name === "string" && hasOwn(currentInvocation("env").env, name),
  ownKeys: () => Reflect.ownKeys(currentInvocation("env").env),
  getOwnPropertyDescriptor: (_target, name) => {
    const value = typeof name === "string" ? read(name) : undefined;
    return value === undefined ? undefined : { value, enumerable: true, configurable: true, writable: false };
  },
  set: refuse,
  defineProperty: refuse,
  deleteProperty: refuse,
}) as unknown as ((name: string) => string | undefined) & Record<string, unknown>;

