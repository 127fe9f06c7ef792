// Makes WASI commands of random modules. Usage: random-commands.mjs WASM-MERGE FOLDER MODULE...
// Each command calls the functions of one module and writes the values that they log. Prints, for each, its file and what V8 says that it
// writes.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

// The time that a function may take is not comparable; what it logs and leaves in its memory is. Functions that do not return are left out.

const view = new DataView(new ArrayBuffer(8));
const hex = (type, bits) => `${type}${BigInt.asUintN(64, bits).toString(16).padStart(16, "0")}\n`;
const logged = {
  i32: value => hex("i", BigInt(value >>> 0)),
  i64: value => hex("I", value),
  f32: value => hex("f", Number.isNaN(value) ? 0n : (view.setFloat32(0, value), BigInt(view.getUint32(0)))),
  f64: value => hex("F", Number.isNaN(value) ? 0n : (view.setFloat64(0, value), view.getBigUint64(0))),
};

/** Runs functions in V8: what they log, or the name of the one that does not return. */
function run(module, functions, hashes) {
  let text = "";
  const imports = Object.fromEntries(Object.entries(logged).map(([type, format]) => [`log-${type}`, value => (text += format(value))]));
  const { exports } = new WebAssembly.Instance(module, { "fuzzing-support": imports });
  for (const name of functions) {
    exports.hangLimitInitializer?.();
    try {
      if (exports[name].length > 0 || exports[name]() !== undefined) return { unfit: name };
    } catch {
      return { unfit: name };
    }
  }
  if (!hashes) return { text };
  try {
    return { text: text + logged.i32(exports.hashMemory()) };
  } catch {
    return { unfit: "hashMemory" };
  }
}

/** The command in wabt's language: logs into a buffer, which it writes when it is full and at the end. */
function command(functions, exports) {
  const call = [...functions.map((_, index) => (exports.has("hangLimitInitializer") ? `(call $hang) (call $f${index})` : `(call $f${index})`))];
  return `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  ${exports.has("hangLimitInitializer") ? `(import "fuzz" "hangLimitInitializer" (func $hang))` : ""}
  ${exports.has("hashMemory") ? `(import "fuzz" "hashMemory" (func $hash (result i32)))` : ""}
  ${functions.map((name, index) => `(import "fuzz" "${name}" (func $f${index}))`).join("\n  ")}
  (memory (export "memory") 1)
  (global $at (mut i32) (i32.const 16))
  (func $flush
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.sub (global.get $at) (i32.const 16)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (global.set $at (i32.const 16)))
  (func $put (param $byte i32)
    (i32.store8 (global.get $at) (local.get $byte))
    (global.set $at (i32.add (global.get $at) (i32.const 1))))
  (func $log (param $type i32) (param $bits i64) (local $shift i64) (local $digit i32)
    (if (i32.gt_u (global.get $at) (i32.const 65000)) (then (call $flush)))
    (call $put (local.get $type))
    (local.set $shift (i64.const 60))
    (loop $next
      (local.set $digit (i32.and (i32.wrap_i64 (i64.shr_u (local.get $bits) (local.get $shift))) (i32.const 15)))
      (call $put (i32.add (local.get $digit) (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
      (local.set $shift (i64.sub (local.get $shift) (i64.const 4)))
      (br_if $next (i64.ge_s (local.get $shift) (i64.const 0))))
    (call $put (i32.const 10)))
  (func (export "log-i32") (param i32) (call $log (i32.const 105) (i64.extend_i32_u (local.get 0))))
  (func (export "log-i64") (param i64) (call $log (i32.const 73) (local.get 0)))
  (func (export "log-f32") (param f32) (call $log (i32.const 102)
    (select (i64.extend_i32_u (i32.reinterpret_f32 (local.get 0))) (i64.const 0) (f32.eq (local.get 0) (local.get 0)))))
  (func (export "log-f64") (param f64) (call $log (i32.const 70)
    (select (i64.reinterpret_f64 (local.get 0)) (i64.const 0) (f64.eq (local.get 0) (local.get 0)))))
  (func (export "_start")
    ${call.join("\n    ")}
    ${exports.has("hashMemory") ? "(call $log (i32.const 105) (i64.extend_i32_u (call $hash)))" : ""}
    (call $flush)))`;
}

const [merge, folder, ...files] = process.argv.slice(2);
const commands = [];
for (const file of files) {
  const module = new WebAssembly.Module(readFileSync(file));
  const exports = new Set(WebAssembly.Module.exports(module).filter(entry => entry.kind === "function").map(entry => entry.name));
  let functions = [...exports].filter(name => name !== "hangLimitInitializer" && name !== "hashMemory");
  let result = run(module, functions, exports.has("hashMemory"));
  // What one function left undone may matter to those after it: each time from the start.
  while (result.unfit !== undefined) {
    functions = functions.filter(name => name !== result.unfit);
    if (result.unfit === "hashMemory") exports.delete("hashMemory");
    result = run(module, functions, exports.has("hashMemory"));
  }
  const path = name => join(folder, `${basename(file, ".wasm")}-${name}`);
  writeFileSync(path("command.wat"), command(functions, exports));
  execFileSync("wat2wasm", [path("command.wat"), "-o", path("command.wasm")]);
  execFileSync(process.execPath, [
    merge, path("command.wasm"), "fuzzing-support", file, "fuzz", "-o", path("merged.wasm"), "--rename-export-conflicts",
    "--enable-multimemory", "--enable-sign-ext", "--enable-nontrapping-float-to-int", "--enable-bulk-memory", "--enable-multivalue", "--enable-mutable-globals",
  ]);
  commands.push({ file: path("merged.wasm"), functions: functions.length, text: result.text });
}
console.log(JSON.stringify(commands));
