// The same engine, the same workloads, run by V8's WebAssembly compiler: what ours is measured against. Prints {"workload": milliseconds of processor time}.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, script, rounds] = process.argv.slice(2);
const { QuickJS } = await import(pathToFileURL(`${folder}/dist/index.js`));
const vm = await QuickJS.create({ wasm: readFileSync(`${folder}/quickjs.wasm`) });
const evaluate = source => vm.dump(vm.evalCode(source));
evaluate(readFileSync(script, "utf8"));
const result = {};
for (const name of JSON.parse(evaluate("JSON.stringify(Object.keys(workloads))"))) {
  const times = [];
  for (let round = 0; round < Number(rounds); round++) {
    const start = process.cpuUsage();
    evaluate(`workloads.${name}()`);
    const used = process.cpuUsage(start);
    times.push((used.user + used.system) / 1000);
  }
  result[name] = Math.min(...times);
}
console.log(JSON.stringify(result));
