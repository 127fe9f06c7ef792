// The same engine, the same workloads, run by V8's WebAssembly compiler: what ours is measured against. For each workload named on a line
// of standard
// input it prints milliseconds of processor time and the result.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, script] = process.argv.slice(2);
const { QuickJS } = await import(pathToFileURL(`${folder}/dist/index.js`));
const vm = await QuickJS.create({ wasm: readFileSync(`${folder}/quickjs.wasm`) });
const evaluate = source => vm.dump(vm.evalCode(source));
evaluate(readFileSync(script, "utf8"));
for await (const name of createInterface({ input: process.stdin })) {
  const start = process.cpuUsage();
  const result = evaluate(`workloads.${name}()`);
  const used = process.cpuUsage(start);
  console.log(`${(used.user + used.system) / 1000} ${result}`);
}
