// Merges the engine and its side modules, whose addresses in memory and in the table are known, into one module without dynamic linking.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Reader, build, exportsOf, sections, signed, text, unsigned, withoutState } from "./binary.mjs";

const Function = 0, Table = 1, Memory = 2, Global = 3;
const I32 = 0x7f, FunctionReference = 0x70, Constant = 0x41, End = 0x0b, GlobalGet = 0x23;

/** Skips the type of an import. */
const skipType = (reader, kind) => {
  if (kind === Function) return reader.skip();
  if (kind === Global) return reader.take(2);
  if (kind === Table) reader.byte();
  const flags = reader.byte();
  reader.skip();
  if (flags & 1) reader.skip();
};

/** Returns a side module whose bases and offset table are globals of a module of constants, and that module. */
const prepareSide = (id, module, { memoryBase, tableBase, offsets }, engineExports) => {
  const parts = sections(module);
  const own = exportsOf(parts);
  const constants = [];
  // wasm-merge keeps the first of two exports with the same name, so each needs its own.
  const constant = (name, value, isMutable) => {
    constants.push({ name: `${id}.${name}`, value, isMutable });
    return [`constants_${id}`, `${id}.${name}`];
  };
  const section = parts.find(part => part.id === 2);
  const reader = new Reader(section.body);
  const count = reader.unsigned();
  const imports = [...unsigned(count)];
  for (let index = 0; index < count; index++) {
    let [from, name] = [reader.name(), reader.name()];
    const kind = reader.byte();
    const start = reader.at;
    skipType(reader, kind);
    let type = [...reader.bytes.subarray(start, reader.at)];
    if (from.startsWith("GOT.")) [from, name] = constant(`${from}.${name}`, offsets.get(`${from}.${name}`).global.value, 1);
    else if (name === "__memory_base") [from, name] = constant(name, memoryBase, 0);
    else if (name === "__table_base") [from, name] = constant(name, tableBase, 0);
    else if (kind === Function && from === "env" && !engineExports.has(name) && own.has(name)) from = `side_${id}`;
    // The engine's table and memory are larger than those for which the side module was linked.
    if (kind === Table) type = [FunctionReference, 0, 0];
    if (kind === Memory) type = [0, 1];
    imports.push(...text(from), ...text(name), kind, ...type);
  }
  const elements = parts.find(part => part.id === 9);
  if (elements) elements.body = placeElements(elements.body, tableBase);
  const side = build(withoutState(parts.map(part => (part === section ? { id: 2, body: imports } : part))));
  const values = constants.flatMap(({ value, isMutable }) => [I32, isMutable, Constant, ...signed(value | 0), End]);
  const globals = [...unsigned(constants.length), ...values];
  const names = [...unsigned(constants.length), ...constants.flatMap(({ name }, index) => [...text(name), Global, ...unsigned(index)])];
  return { side, constants: build([{ id: 6, body: globals }, { id: 7, body: names }]) };
};

/** The only segment of a side module starts at its table base: replace that by a number. */
const placeElements = (body, tableBase) => {
  const reader = new Reader(body);
  if (reader.unsigned() !== 1 || reader.unsigned() !== 0 || reader.byte() !== GlobalGet)
    throw new Error("The element segment has an unexpected form.");
  reader.skip();
  return Buffer.concat([Buffer.from([1, 0, Constant, ...signed(tableBase)]), reader.bytes.subarray(reader.at)]);
};

/** Functions that were appended to the table for the offset tables. */
const appendElements = (parts, layout) => {
  const exports = exportsOf(parts);
  const section = parts.find(part => part.id === 9);
  const reader = new Reader(section.body);
  const count = reader.unsigned();
  const added = [];
  for (const { offsets } of Object.values(layout)) {
    for (const { name, isFunction, global } of offsets.values()) {
      // Undefined functions have no place in the table.
      if (!isFunction || global.value === 0) continue;
      if (!exports.has(name)) throw new Error(`${name} is in an offset table but is not exported.`);
      added.push([0, Constant, ...signed(global.value), End, 1, ...unsigned(exports.get(name).index)]);
    }
  }
  section.body = Buffer.concat([Buffer.from(unsigned(count + added.length)), section.body.subarray(reader.at), Buffer.from(added.flat())]);
};

/** Removes exports that the host does not call. */
const keepExports = (parts, isWanted) => {
  const kept = [...exportsOf(parts)].filter(([name]) => isWanted(name));
  const entries = kept.flatMap(([name, { kind, index }]) => [...text(name), kind, ...unsigned(index)]);
  parts.find(part => part.id === 7).body = [...unsigned(kept.length), ...entries];
};

/**
 * @param binaryen the folder of its commands
 * @param folder where files may be written
 * @returns the module
 */
export const merge = (main, sides, { layout, tableLength }, isWanted, binaryen, folder) => {
  const write = (name, bytes) => {
    const file = path.join(folder, name);
    writeFileSync(file, bytes);
    return file;
  };
  const parts = sections(main);
  const engineExports = exportsOf(parts);
  const table = { id: 4, body: [1, FunctionReference, 0, ...unsigned(tableLength)] };
  const inputs = [write("engine.wasm", build(withoutState(parts).map(part => (part.id === 4 ? table : part)))), "env"];
  for (const [name, module] of sides) {
    const id = name.replace(/\W/g, "_");
    const { side, constants } = prepareSide(id, module, layout[name], engineExports);
    inputs.push(write(`constants_${id}.wasm`, constants), `constants_${id}`, write(`side_${id}.wasm`, side), `side_${id}`);
  }
  const merged = path.join(folder, "merged.wasm");
  execFileSync(process.execPath, [
    path.join(binaryen, "wasm-merge"), ...inputs, "-o", merged, "--skip-export-conflicts", "--all-features",
    "--disable-compact-imports",
  ], { stdio: "inherit" });
  const result = sections(readFileSync(merged));
  appendElements(result, layout);
  keepExports(result, isWanted);
  return build(result);
};
