// Runs modules in V8 and prints what each did: one line an event, for comparison with the compiler under test.
import { readFileSync } from "node:fs";

const view = new DataView(new ArrayBuffer(8));
const bits = {
  i32: value => (value >>> 0).toString(16),
  i64: value => BigInt.asUintN(64, value).toString(16),
  f32: value => (view.setFloat32(0, value), Number.isNaN(value) ? "nan" : view.getUint32(0).toString(16)),
  f64: value => (view.setFloat64(0, value), Number.isNaN(value) ? "nan" : view.getBigUint64(0).toString(16)),
};

function run(file) {
  const events = [];
  const imports = Object.fromEntries(Object.entries(bits).map(([type, format]) => [`log-${type}`, value => events.push(`${type} ${format(value)}`)]));
  imports["log-v128"] = () => {}; // V8 throws before it gets here: JavaScript knows no vectors
  const module = new WebAssembly.Module(readFileSync(file));
  const { exports } = new WebAssembly.Instance(module, { "fuzzing-support": imports });
  const functions = WebAssembly.Module.exports(module).filter(entry => entry.kind === "function" && exports[entry.name].length === 0);
  for (const { name } of functions) {
    exports.hangLimitInitializer?.();
    try {
      exports[name]();
      events.push(`${name} returned`);
    } catch (error) {
      if (error instanceof RangeError) return undefined; // how deep a stack goes is not comparable
      events.push(`${name} trapped`);
    }
  }
  let sum = 0;
  for (const byte of new Uint8Array(exports.memory?.buffer ?? new ArrayBuffer(0))) sum = (Math.imul(sum, 31) + byte) | 0;
  events.push(`memory ${sum}`);
  return { functions: functions.map(entry => entry.name), events };
}

console.log(JSON.stringify(process.argv.slice(2).map(run)));
