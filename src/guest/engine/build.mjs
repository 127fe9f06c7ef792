// Builds the JavaScript engine of the sandbox: QuickJS and its side modules as one module (dist/quickjs.wasm), and its initial memory and
// stack pointer (dist/quickjs.memory, dist/quickjs.json). Wasmtime compiles it when the sidecar is built.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { makeInterruptible } from "./interrupt.mjs";
import { load } from "./load.mjs";
import { merge } from "./merge.mjs";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const package_ = path.join(root, "node_modules", "quickjs-wasi");
const binaryen = path.join(root, "node_modules", "binaryen", "bin");

// The order in which they are initialised.
const sideNames = ["url", "encoding", "headers", "crypto", "structured-clone"];

// The functions that the host calls: see JavaScript/QuickJsExports.cs.
const wanted = new Set([
  "memory", "__stack_pointer", "wasm_malloc", "wasm_free",
  ...[
    "init", "set_max_stack_size", "set_promise_rejection_handler", "run_gc", "get_context_ptr", "get_runtime_ptr", "eval", "call",
    "new_string", "new_number",
    "new_uint8_array", "new_host_function", "get_undefined", "get_global", "get_prop_string", "set_prop_string", "dup_value",
    "free_value",
    "is_exception", "is_undefined", "is_string", "is_promise", "get_exception", "get_float64", "get_string_len", "free_cstring",
    "get_typed_array_buffer", "get_array_buffer", "promise_state", "promise_result", "is_job_pending", "execute_pending_job",
  ].map(name => `qjs_${name}`),
  ...sideNames.map(name => `qjs_ext_${name.replace(/\W/g, "_")}_init`),
]);

const main = readFileSync(path.join(package_, "quickjs.wasm"));
const sides = sideNames.map(name => [name, readFileSync(path.join(package_, "extensions", name, `${name}.so`))]);
const loaded = load(main, sides);
const folder = mkdtempSync(path.join(tmpdir(), "pgfn-engine-"));
try {
  const merged = path.join(folder, "linked.wasm");
  writeFileSync(merged, merge(main, sides, loaded, name => wanted.has(name), binaryen, folder));
  const optimised = path.join(folder, "optimised.wasm");
  // Measured against alternatives: see docs/decisions/0012-wasmtime.md.
  execFileSync(process.execPath, [
    path.join(binaryen, "wasm-opt"), merged, "-O4", "--flatten", "--rereloop", "-O4", "-o", optimised, "--all-features",
    "--disable-compact-imports",
  ], { stdio: "inherit" });
  const result = makeInterruptible(readFileSync(optimised));
  const strange = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(optimised)))
    .filter(({ module, kind }) => kind !== "function" || !["env", "wasi_snapshot_preview1"].includes(module));
  const names = strange.map(({ module, name }) => `${module}.${name}`).join(", ");
  if (strange.length > 0) throw new Error(`The linked module still imports ${names}.`);
  const dist = path.join(root, "dist");
  mkdirSync(dist, { recursive: true });
  writeFileSync(path.join(dist, "quickjs.wasm"), result);
  writeFileSync(path.join(dist, "quickjs.memory"), loaded.memory);
  writeFileSync(path.join(dist, "quickjs.json"), JSON.stringify({ stackPointer: loaded.stackPointer }));
} finally {
  rmSync(folder, { recursive: true });
}
