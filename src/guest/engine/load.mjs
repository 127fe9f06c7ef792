// Links the JavaScript engine and its side modules dynamically, by the tool conventions ("Dynamic Linking"), to find the addresses of
// everything, and the contents of memory before the engine is initialised.
import { setFlagsFromString } from "node:v8";
import { Reader, exportsOf, sections } from "./binary.mjs";

// Extended constant expressions; without a flag since Node.js 21.
setFlagsFromString("--experimental-wasm-extended-const");

const none = () => 0;
const host = {
  env: {
    host_call: none, host_interrupt: none, host_promise_rejection: none, host_get_timezone_offset: none,
    host_module_normalize: none, host_module_load: none,
  },
  wasi_snapshot_preview1: {
    clock_time_get: none, random_get: none, fd_write: () => 8, fd_close: () => 8, fd_fdstat_get: () => 8, fd_seek: () => 8,
  },
};

const i32 = (value, mutable) => new WebAssembly.Global({ value: "i32", mutable }, value);

/** Reads the needs of a side module from its first section. */
const needsOf = module => {
  const reader = new Reader(sections(module)[0].body);
  if (reader.name() !== "dylink.0") throw new Error("This is no side module.");
  reader.byte();
  reader.unsigned();
  return {
    memory: reader.unsigned(), memoryAlignment: 1 << reader.unsigned(),
    table: reader.unsigned(), tableAlignment: 1 << reader.unsigned(),
  };
};

const align = (value, to) => (value + to - 1) & ~(to - 1);

/** @returns the bases of each side module, the values of the global offset table, the table's size, memory and the stack pointer */
export const load = (main, sides) => {
  const engine = new WebAssembly.Instance(new WebAssembly.Module(main), host).exports;
  engine._initialize?.();
  const { memory, __indirect_function_table: table } = engine;
  const layout = {};
  for (const [name, module] of sides) {
    const needs = needsOf(module);
    const slack = needs.memoryAlignment > 16 ? needs.memoryAlignment : 0;
    const memoryBase = align(engine.malloc(needs.memory + slack), slack || 1);
    new Uint8Array(memory.buffer, memoryBase, needs.memory).fill(0);
    const tableBase = align(table.length, needs.tableAlignment);
    table.grow(needs.table + tableBase - table.length);
    const own = exportsOf(sections(module));
    const offsets = new Map();
    const append = f => {
      table.grow(1, f);
      return table.length - 1;
    };
    const imports = {};
    let exports;
    const compiled = new WebAssembly.Module(module);
    for (const wanted of WebAssembly.Module.imports(compiled)) {
      const into = (imports[wanted.module] ??= {});
      if (wanted.module.startsWith("GOT.")) {
        const isFunction = wanted.module === "GOT.func";
        const found = engine[wanted.name];
        const value = found === undefined ? 0 : isFunction ? append(found) : found.value;
        const isOwn = found === undefined && own.has(wanted.name);
        const entry = { module: wanted.module, name: wanted.name, isFunction, isOwn, global: i32(value, true) };
        offsets.set(`${wanted.module}.${wanted.name}`, entry);
        into[wanted.name] = entry.global;
      } else if (wanted.name === "__memory_base") into[wanted.name] = i32(memoryBase, false);
      else if (wanted.name === "__table_base") into[wanted.name] = i32(tableBase, false);
      else if (wanted.kind !== "function") into[wanted.name] = engine[wanted.name];
      else
        into[wanted.name] =
          host[wanted.module]?.[wanted.name] ??
          engine[wanted.name] ??
          ((...values) => {
            if (!exports?.[wanted.name]) throw new Error(`${name} needs ${wanted.name}, which no module exports.`);
            return exports[wanted.name](...values);
          });
    }
    exports = new WebAssembly.Instance(compiled, imports).exports;
    for (const entry of offsets.values()) {
      if (entry.isOwn) entry.global.value = entry.isFunction ? append(exports[entry.name]) : memoryBase + exports[entry.name].value;
    }
    exports.__wasm_apply_data_relocs?.();
    exports.__wasm_call_ctors?.();
    layout[name] = { memoryBase, tableBase, offsets };
  }
  return { layout, tableLength: table.length, memory: Buffer.from(memory.buffer), stackPointer: engine.__stack_pointer.value };
};
