// Prints the software bill of materials of a published folder, in CycloneDX 1.6's JSON: node scripts/sbom.mjs ROOT FOLDER.
// .NET's part comes from pgfn.deps.json, which lists what was published. The JavaScript inside quickjs.wasm and prelude.js comes from the
// packages of src/guest/package-lock.json that are not for development only. The packages of the image's base are not in it.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [root, folder] = process.argv.slice(2);
const read = (...path) => JSON.parse(readFileSync(join(...path), "utf8"));

/** "sha512-<base64>", as NuGet and npm write it, as CycloneDX has it. */
function hashes(integrity) {
  const match = /^sha512-(.+)$/.exec(integrity ?? "");
  return match ? { hashes: [{ alg: "SHA-512", content: Buffer.from(match[1], "base64").toString("hex") }] } : {};
}

const component = (ecosystem, name, version, integrity) => {
  const purl = `pkg:${ecosystem}/${name.replace(/^@/, "%40")}@${version}`;
  return { type: "library", "bom-ref": purl, name, version, purl, ...hashes(integrity) };
};

const dependencies = read(folder, "pgfn.deps.json").libraries;
const nuget = Object.entries(dependencies)
  .filter(([, library]) => library.type === "package" || library.type === "runtimepack")
  .map(([key, library]) => {
    const [name, version] = key.replace(/^runtimepack\./, "").split("/");
    return component("nuget", name, version, library.sha512);
  });
const npm = Object.entries(read(root, "src/guest/package-lock.json").packages)
  .filter(([path, locked]) => path !== "" && !locked.dev && !locked.optional)
  .map(([path, locked]) => component("npm", path.replace(/^.*node_modules\//, ""), locked.version, locked.integrity));
const components = [...nuget, ...npm].sort((a, b) => (a.purl < b.purl ? -1 : a.purl > b.purl ? 1 : 0));

const version = Object.keys(dependencies).find((key) => key.startsWith("pgfn/")).split("/")[1];
// The same content has the same number, so that building twice gives the same file.
const digest = createHash("sha256").update(JSON.stringify([version, components])).digest("hex");
const uuid = `${digest.slice(0, 8)}-${digest.slice(8, 12)}-5${digest.slice(13, 16)}-a${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
console.log(JSON.stringify({
  bomFormat: "CycloneDX",
  specVersion: "1.6",
  serialNumber: `urn:uuid:${uuid}`,
  version: 1,
  metadata: { component: { type: "application", "bom-ref": "pgfn", name: "Functions.PgSidecar", version } },
  components,
}, null, 2));
