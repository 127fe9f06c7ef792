// The exchange's Node.js: prints {bundle, results} of keys made here, or, given "check" and what the other side made on the standard
// input, of what becomes of that.
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { results } from "./exchange.mjs";

if (process.argv[2] === "check") {
  process.stdout.write(JSON.stringify(await results(JSON.parse(await text(process.stdin)))));
} else {
  const entry = fileURLToPath(new URL("./exchange.mjs", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: "esm", target: "es2023" });
  process.stdout.write(JSON.stringify({ bundle: outputFiles[0].text, results: await results() }));
}
