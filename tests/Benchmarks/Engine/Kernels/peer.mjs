// The same module in V8. Prints {"kernel": [milliseconds of processor time of the best round, checksum]}.
import { readFileSync } from "node:fs";

const [file, sizes, rounds] = process.argv.slice(2);
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)));
const result = {};
for (const [name, size] of Object.entries(JSON.parse(sizes))) {
  let best = Infinity, checksum;
  for (let round = 0; round < Number(rounds); round++) {
    const start = process.cpuUsage();
    checksum = exports[name](size);
    const used = process.cpuUsage(start);
    best = Math.min(best, (used.user + used.system) / 1000);
  }
  result[name] = [best, checksum];
}
console.log(JSON.stringify(result));
