// The bindings that a function's option `bindings` names: other caches, queues, indexes and buckets than the default ones.
import { cache } from "../bindings/cache/kv";
import { database } from "../bindings/database/d1";
import { queue } from "../bindings/queue/queue";
import { storage } from "../bindings/storage/bucket";
import { vectorize } from "../bindings/vectors/vectorize";

/** One of them: its kind and its name, for example `{ queue: "emails" }`. The host has checked both. */
export type NamedBinding =
  | { cache: string }
  | { queue: string }
  | { index: string }
  | { bucket: string }
  | { database: string };

/** What `env` has for it. */
export function openBinding(named: NamedBinding): unknown {
  if ("cache" in named) return cache.namespace(named.cache);
  if ("queue" in named) return queue.queue(named.queue);
  if ("index" in named) return vectorize.index(named.index);
  if ("bucket" in named) return storage.bucket(named.bucket);
  return database;
}
