// Bundles the entry of each example (a folder with index.js or index.ts) into dist/<name>.js, one module to deploy.
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const entries = {};
for (const folder of readdirSync(here, { withFileTypes: true })) {
  const entry = ["index.ts", "index.js"].map((file) => `${here}${folder.name}/${file}`).find(existsSync);
  if (folder.isDirectory() && folder.name !== "dist" && entry) entries[folder.name] = entry;
}

await build({
  entryPoints: entries,
  outdir: `${here}dist`,
  bundle: true,
  format: "esm",
  target: "es2023",
  // Worker builds of packages are the ones without Node's modules.
  conditions: ["workerd", "worker"],
  sourcemap: "inline",
  sourcesContent: false,
  logLevel: "info",
});
