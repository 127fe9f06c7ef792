// `env`: the function's variables and its bindings, as the Workers form's argument and as the handler form's global.
import { hasOwn } from "../intrinsics";
import { database } from "../database/d1";
import { currentInvocation } from "./current";

/** The `env` of one invocation: its variables, and the bindings, which win over a variable of the same name. */
export function makeEnvironment(variables: Record<string, string> | undefined): Record<string, unknown> {
  const environment: Record<string, unknown> = variables ?? {};
  environment["DB"] = database;
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

/** The global: `env("KEY")` and `env.KEY`; a name the function was not given is undefined. */
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

