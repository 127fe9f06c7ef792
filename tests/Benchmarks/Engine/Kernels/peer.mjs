// The same module in V8. For each kernel named on a line of standard input it prints milliseconds of processor time and the checksum.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [file, sizes] = process.argv.slice(2);
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)));
const sizeOf = JSON.parse(sizes);
for await (const name of createInterface({ input: process.stdin })) {
  const start = process.cpuUsage();
  const checksum = exports[name](sizeOf[name]);
  const used = process.cpuUsage(start);
  console.log(`${(used.user + used.system) / 1000} ${checksum}`);
}
