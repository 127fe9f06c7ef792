// Bundles a script with what it imports, runs it here, and prints {bundle, results}: the sandbox is given the same bundle, and must
// come to the same results.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const script = fileURLToPath(new URL(process.argv[2], import.meta.url));
const { outputFiles } = await build({
  entryPoints: [script], bundle: true, write: false, format: "esm", target: "es2023", conditions: ["workerd", "worker"],
  mainFields: ["module", "main"], logLevel: "error",
});
const bundle = outputFiles[0].text;
// Some packages speak; the standard output is the results'.
console.log = console.error;
const { results } = await import(`data:text/javascript,${encodeURIComponent(bundle)}`);
process.stdout.write(JSON.stringify({ bundle, results: await results() }));
