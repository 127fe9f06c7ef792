// The host's half of the protocol, small: deploys a module into QuickJS, snapshots it, and invokes it from the snapshot.
// Timers fire in order of their time without any waiting.
import { readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { EvalFlags, QuickJS } from "quickjs-wasi";

// The extensions' constants are computed, which V8 took behind a flag before Node 22.
if (Number(process.versions.node.split(".")[0]) < 22) setFlagsFromString("--experimental-wasm-extended-const");

const read = (specifier) => readFile(new URL(import.meta.resolve(specifier)));
const extensionNames = ["url", "encoding", "headers", "crypto", "structured-clone"];
const wasm = await WebAssembly.compile(await read("quickjs-wasi/quickjs.wasm"));
const extensions = await Promise.all(
  extensionNames.map(async (name) => ({
    name,
    wasm: await WebAssembly.compile(await read(`quickjs-wasi/${name}.so`)),
  })),
);
const prelude = await readFile(new URL("../dist/prelude.js", import.meta.url), "utf8");

const operationNames = { 1: "start", 2: "cancel", 3: "respond", 4: "fail", 5: "done", 6: "log", 7: "now", 9: "respondStreaming" };

/** Takes the guest's calls; one for each instance. */
class Calls {
  starts = [];
  cancelled = [];
  logs = [];
  responses = [];
  failures = [];
  dones = [];
  written = [];
  order = [];
  /** How often the engine asked whether to go on: once in 10,000 jumps, calls and steps of a regular expression. The same in every run. */
  steps = 0;

  take(vm, args) {
    const [operation, ...rest] = args.map((handle) => plain(vm, handle));
    const name = operationNames[operation];
    this.order.push(name);
    if (name === "start") this.starts.push({ id: rest[0], name: rest[1], text: rest[2], bytes: rest[3] });
    else if (name === "cancel") this.cancelled.push(rest[0]);
    else if (name === "respond") this.responses.push({ text: rest[0], body: rest[1] });
    else if (name === "respondStreaming") this.responses.push({ text: rest[0], streams: true });
    else if (name === "fail") this.failures.push(JSON.parse(rest[0]));
    else if (name === "done") this.dones.push(rest[0]);
    else if (name === "log") this.logs.push({ level: rest[0], text: rest[1] });
    else if (name === "now") return vm.newNumber(12.5);
    return vm.undefined;
  }
}

function plain(vm, handle) {
  const value = vm.dump(handle);
  return value instanceof Uint8Array ? Uint8Array.from(value) : value;
}

/** Options of an instance; `report` is told of rejections from inside the engine. */
function optionsWith(report) {
  return { wasm, extensions, onUnhandledRejection: (promise, reason, isHandled) => report(promise, reason, isHandled) };
}

/** A module deployed: its top level has run, its entry is bound, and its memory is a snapshot. */
export async function deploy(source, entry) {
  const calls = new Calls();
  const vm = await QuickJS.create(optionsWith(() => undefined));
  vm.setProp(vm.global, "__pgfn_host", vm.newFunction("__pgfn_host", (...args) => calls.take(vm, args)));
  const protocol = vm.evalCode(prelude, "pgfn:prelude");
  const loading = vm.evalCode(source, "function.js", EvalFlags.TYPE_MODULE);
  vm.executePendingJobs();
  const loaded = await vm.resolvePromise(loading);
  if ("error" in loaded) throw Object.assign(new Error(vm.dump(loaded.error)?.message), { calls });
  const bound = JSON.parse(
    vm.callFunction(protocol.getProp("bind"), vm.undefined, loaded.value, entry ? vm.newString(entry) : vm.undefined).toString(),
  );
  const tokens = Object.fromEntries(
    ["invoke", "complete", "rejection"].map((name) => [name, vm.exportHandle(protocol.getProp(name))]),
  );
  vm.runGC();
  return { bound, calls, tokens, snapshot: vm.snapshot() };
}

/**
 * Invokes a deployed module from its snapshot. `operations` answers by name with `{text, bytes}`, or rejects with what
 * `complete` is to carry; a name without an answer stays outstanding.
 */
export async function invoke(deployed, message = {}, { bytes, operations: given = {} } = {}) {
  const calls = new Calls();
  const operations = { "response.write": (_input, chunk) => void calls.written.push(chunk), "response.end": () => undefined, ...given };
  const vm = await QuickJS.restore(deployed.snapshot, {
    ...optionsWith((promise, reason, isHandled) =>
      vm.callFunction(functions.rejection, vm.undefined, promise, reason, isHandled ? vm.true : vm.false),
    ),
    interruptHandler: () => (calls.steps++, false),
  });
  vm.registerHostCallback("__pgfn_host", (...args) => calls.take(vm, args));
  const functions = Object.fromEntries(
    Object.entries(deployed.tokens).map(([name, token]) => [name, vm.importHandle(token)]),
  );
  const call = (name, ...args) => {
    vm.callFunction(functions[name], vm.undefined, ...args);
    vm.executePendingJobs();
  };
  const complete = (id, ok, text, reply) =>
    call("complete", vm.newNumber(id), vm.newNumber(ok), vm.newString(text), reply ? vm.newUint8Array(reply) : vm.undefined);

  const text = vm.newString(JSON.stringify({ ...defaults, ...message }));
  call("invoke", text, bytes === undefined ? vm.undefined : vm.newUint8Array(bytes));
  const pending = [];
  for (let seen = 0; calls.dones.length === 0; ) {
    while (seen < calls.starts.length) pending.push(calls.starts[seen++]);
    const next = takeNext(pending, calls.cancelled, operations);
    if (next === undefined) break;
    const input = next.text === "" ? undefined : JSON.parse(next.text);
    if (next.name === "timer") complete(next.id, 1, "");
    else {
      const [ok, answer] = await settle(operations[next.name](input, next.bytes));
      if (ok) complete(next.id, 1, textOf(answer), answer?.bytes);
      else complete(next.id, 0, JSON.stringify(answer));
    }
  }
  return outcome(calls);
}

const defaults = {
  kind: "http",
  request: { method: "GET", url: "http://127.0.0.1:8787/functions/v1/invoke/hello", headers: [] },
  path: "/functions/v1/invoke/hello",
  query: {},
  user_id: "5d2f6f9e-0000-4000-8000-000000000001",
  request_id: "5d2f6f9e-0000-4000-8000-000000000002",
  trigger: "http",
  env: {},
  now: 1_800_000_000_000,
};

const settle = (promise) => Promise.resolve(promise).then((value) => [true, value], (error) => [false, error]);

const textOf = (answer) => (answer === undefined ? "" : typeof answer.text === "string" ? answer.text : JSON.stringify(answer.json ?? answer));

/** The next operation to end: one that has an answer, else the earliest timer. */
function takeNext(pending, cancelled, operations) {
  const live = pending.filter(({ id }) => !cancelled.includes(id));
  const answered = live.find(({ name }) => operations[name] !== undefined);
  const timers = live.filter(({ name }) => name === "timer");
  const next = answered ?? timers.sort((a, b) => JSON.parse(a.text).ms - JSON.parse(b.text).ms)[0];
  if (next !== undefined) pending.splice(pending.indexOf(next), 1);
  return next;
}

function outcome(calls) {
  const [response] = calls.responses;
  const head = response?.text ? JSON.parse(response.text) : undefined;
  const body = response?.streams ? Uint8Array.from(Buffer.concat(calls.written)) : response?.body;
  return {
    ...head,
    header: (name) => head?.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value).join(", "),
    body,
    text: body instanceof Uint8Array ? new TextDecoder().decode(body) : body,
    get json() {
      return JSON.parse(this.text);
    },
    failure: calls.failures[0],
    done: calls.dones[0],
    calls,
  };
}

/** Deploys and invokes in one step. */
export async function run(source, message, options) {
  return invoke(await deploy(source), message, options);
}

/** A POST request whose body is the given text or bytes. */
export function post(body, headers = []) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return [{ request: { ...defaults.request, method: "POST", headers } }, { bytes }];
}
