// Bundles main.ts into dist/prelude.js: one script whose completion value is the guest's half of the host protocol.
import { build } from "esbuild";

const script = "__pgfn_protocol";

await build({
  entryPoints: ["main.ts"],
  outfile: "dist/prelude.js",
  bundle: true,
  format: "iife",
  globalName: script,
  target: "es2023",
  // Identifiers stay as written, so that a stack trace through the prelude can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  keepNames: false,
  legalComments: "inline",
  banner: { js: "(()=>{\"use strict\";" },
  footer: { js: `return ${script}.protocol;})()` },
  logLevel: "warning",
});
