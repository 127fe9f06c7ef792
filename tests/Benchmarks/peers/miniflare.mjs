// Miniflare, which runs a Worker with KV and R2 in files of this machine: the peer of caches and buckets, and a service that speaks S3.
//   miniflare.mjs MODULE    prints where it serves; its files are removed when it ends
// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are what clients of its S3 sign with: the variables that the program aws reads.
import { rmSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Miniflare } from "miniflare";

const folder = await mkdtemp(join(tmpdir(), "miniflare-"));
// A signal makes Miniflare end the process, and workerd with it.
process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
const server = new Miniflare({
  modules: true,
  script: await readFile(process.argv[2], "utf8"),
  compatibilityDate: "2026-07-01",
  host: "127.0.0.1",
  port: 0,
  kvNamespaces: ["CACHE"],
  kvPersist: join(folder, "kv"),
  r2Buckets: { STORAGE: { id: "objects", s3Credentials: { accessKeyId, secretAccessKey } } },
  r2Persist: join(folder, "r2"),
});
console.log(`Miniflare serves on ${(await server.ready).origin}`);
