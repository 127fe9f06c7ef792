// `env.VECTORIZE`: the API of Cloudflare Vectorize (version 2), and what PostgreSQL adds to it.
import { currentInvocation } from "../../invocation/current";
import {
  Bytes, Doubles, encodeUtf8, Floats, isArray, isInteger, jsonParse, jsonStringify, NativeDate, toBase64, toIsoString,
} from "../../platform/intrinsics";
import { perform } from "../../platform/operations";
import type { Answer } from "../database/rows";

type Values = readonly number[] | Float32Array | Float64Array;

interface Vector {
  id: string;
  values: Values;
  namespace?: string;
  metadata?: Record<string, unknown>;
  /** Text for hybrid search. */
  document?: string;
  /** Whose it is, in an index with owner_only; the caller's own id otherwise. */
  owner?: string;
}

interface QueryOptions {
  topK?: number;
  namespace?: string;
  returnValues?: boolean;
  returnMetadata?: boolean | "none" | "indexed" | "all";
  filter?: Record<string, unknown>;
  /** Matches with a worse score are left out. */
  minScore?: number;
  /** Words to search documents for as well. */
  text?: string;
  /** From 0 to 1 (0.5): how much the text counts. */
  textWeight?: number;
  returnDocument?: boolean;
  /** Compares every vector, without the HNSW index. */
  exact?: boolean;
}

interface Match {
  id: string;
  score: number;
  namespace?: string;
  values?: number[];
  metadata?: unknown;
  document?: string;
}

/** The host's answer to each operation. */
interface VectorAnswer {
  name: string;
  dimensions: number;
  metric: string;
  mutation: string | null;
  result: Answer;
}

const metadataChoices: readonly unknown[] = [true, false, "none", "indexed", "all"];

function isNumbers(values: unknown): values is Values {
  return isArray(values) || values instanceof Floats || values instanceof Doubles;
}

/** Numbers as bytes: 32 bits each, as the index keeps them. */
function bytesOf(all: readonly Values[]): Uint8Array {
  let count = 0;
  for (let i = 0; i < all.length; i++) count += all[i]!.length;
  const floats = new Floats(count);
  let at = 0;
  for (let i = 0; i < all.length; i++) {
    const values = all[i]!;
    for (let j = 0; j < values.length; j++) {
      const value = values[j];
      if (typeof value !== "number") throw new TypeError("The values of a vector must be numbers, not " + typeof value + ".");
      floats[at++] = value;
    }
  }
  return new Bytes(floats.buffer);
}

function optionalText(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw new TypeError(name + " must be a string, not " + typeof value + ".");
  return value;
}

function checkVector(vector: Vector): Record<string, unknown> {
  if (typeof vector !== "object" || vector === null) throw new TypeError("A vector is an object: { id, values, namespace?, metadata? }.");
  const { id, values, namespace, metadata, document, owner } = vector;
  if (typeof id !== "string") throw new TypeError("The id of a vector must be a string, not " + typeof id + ".");
  if (!isNumbers(values)) throw new TypeError("The values of a vector must be an array of numbers, a Float32Array or a Float64Array.");
  return {
    id,
    n: values.length,
    namespace: optionalText("namespace", namespace),
    metadata: metadata ?? undefined,
    document: optionalText("document", document),
    owner: optionalText("owner", owner),
  };
}

/** The rows of an answer as objects, without what is empty. */
function matchesOf({ fields, rows }: Answer): Match[] {
  const matches: Match[] = [];
  for (let i = 0; i < rows.length; i++) {
    const match: Record<string, unknown> = {};
    for (let column = 0; column < fields.length; column++) {
      const value = rows[i]![column];
      const { name } = fields[column]!;
      if (value === null || (name === "namespace" && value === "")) continue;
      match[name] = name === "score" ? Number(value) : value;
    }
    matches[i] = match as unknown as Match;
  }
  return matches;
}

/** Whether a score counts. A euclidean score is a distance, so smaller is better. */
function isGood(score: number, minScore: number, metric: string, isHybrid: boolean): boolean {
  return metric === "euclidean" && !isHybrid ? score <= minScore : score >= minScore;
}

/** A vector index. */
export class Vectorize {
  readonly #index: string;

  constructor(index: string) {
    this.#index = index;
  }

  /** Another index (functions.create_vector_index). */
  index(name: string): Vectorize {
    return new Vectorize(String(name));
  }

  async describe(): Promise<unknown> {
    const { result, dimensions, metric, name, mutation } = await this.#perform("vectors.describe", {}, undefined);
    return {
      vectorCount: Number(result.rows[0]![0]),
      dimensions,
      processedUpToDatetime: toIsoString(new NativeDate()),
      processedUpToMutation: mutation,
      name,
      metric,
    };
  }

  insert(vectors: readonly Vector[]): Promise<unknown> {
    return this.#store("vectors.insert", vectors);
  }

  upsert(vectors: readonly Vector[]): Promise<unknown> {
    return this.#store("vectors.upsert", vectors);
  }

  /** Searches for the neighbours of a vector, or of a text, which the index's model embeds. */
  async query(vector: Values | string, options: QueryOptions = {}): Promise<{ matches: Match[]; count: number }> {
    if (typeof vector === "string") return await this.#query({ query: vector }, undefined, options);
    if (!isNumbers(vector)) throw new TypeError("query takes an array of numbers, a Float32Array, a Float64Array, or a text.");
    return await this.#query({}, bytesOf([vector]), options);
  }

  /** Searches for the neighbours of a vector of the index; it is its own first match. */
  async queryById(id: string, options: QueryOptions = {}): Promise<{ matches: Match[]; count: number }> {
    return await this.#query({ id: String(id) }, undefined, options);
  }

  async getByIds(ids: readonly string[]): Promise<Match[]> {
    if (isArray(ids) && ids.length === 0) return [];
    const { result } = await this.#perform("vectors.get", { ids }, undefined);
    return matchesOf(result);
  }

  async deleteByIds(ids: readonly string[]): Promise<unknown> {
    return this.#mutated(await this.#perform("vectors.delete", { ids }, undefined));
  }

  /** Ids in the order of their bytes, a page at a time. */
  async listVectors(options: { limit?: number; cursor?: string | null; namespace?: string } = {}): Promise<unknown> {
    const limit = options.limit ?? 100;
    if (!isInteger(limit) || limit < 1 || limit > 1000) throw new RangeError("limit must be a whole number from 1 to 1000.");
    const members: Record<string, unknown> = { limit, namespace: optionalText("namespace", options.namespace) };
    if (options.cursor) members["cursor"] = String(options.cursor);
    const { result } = await this.#perform("vectors.list", members, undefined);
    const vectors: { id: string }[] = [];
    for (let i = 0; i < result.rows.length && i < limit; i++) vectors[i] = { id: result.rows[i]![0] as string };
    const isTruncated = result.rows.length > limit;
    return {
      vectors,
      count: vectors.length,
      isTruncated,
      nextCursor: isTruncated ? toBase64(encodeUtf8(vectors[vectors.length - 1]!.id)) : null,
    };
  }

  async #store(name: string, vectors: readonly Vector[]): Promise<unknown> {
    if (!isArray(vectors)) throw new TypeError("insert and upsert take an array of vectors.");
    const members: Record<string, unknown>[] = [];
    const values: Values[] = [];
    for (let i = 0; i < vectors.length; i++) {
      members[i] = checkVector(vectors[i] as Vector);
      values[i] = (vectors[i] as Vector).values;
    }
    return this.#mutated(await this.#perform(name, { vectors: members }, bytesOf(values)));
  }

  #mutated({ mutation, result }: VectorAnswer): unknown {
    const ids: unknown[] = [];
    for (let i = 0; i < result.rows.length; i++) ids[i] = result.rows[i]![0];
    return { mutationId: mutation, ids, count: ids.length };
  }

  async #query(
    members: Record<string, unknown>,
    bytes: Uint8Array | undefined,
    options: QueryOptions,
  ): Promise<{ matches: Match[]; count: number }> {
    const topK = options.topK ?? 5;
    if (!isInteger(topK)) throw new TypeError("topK must be a whole number.");
    const wanted = options.returnMetadata ?? false;
    if (!metadataChoices.includes(wanted)) throw new TypeError('returnMetadata must be true, false, "none", "indexed" or "all".');
    const text = optionalText("text", options.text);
    members["topK"] = topK;
    members["namespace"] = optionalText("namespace", options.namespace);
    members["filter"] = options.filter ?? undefined;
    members["text"] = text;
    members["textWeight"] = options.textWeight;
    members["exact"] = options.exact === true;
    members["values"] = options.returnValues === true;
    members["metadata"] = wanted !== false && wanted !== "none";
    members["document"] = options.returnDocument === true;
    const { result, metric } = await this.#perform("vectors.query", members, bytes);
    const all = matchesOf(result);
    const { minScore } = options;
    if (minScore === undefined) return { matches: all, count: all.length };
    const matches: Match[] = [];
    for (let i = 0; i < all.length; i++) {
      if (isGood(all[i]!.score, minScore, metric, text !== undefined)) matches[matches.length] = all[i]!;
    }
    return { matches, count: matches.length };
  }

  #perform(name: string, members: object, bytes: Uint8Array | undefined): Promise<VectorAnswer> {
    currentInvocation("The vector index");
    const text = jsonStringify({ index: this.#index, ...members })!;
    return perform(name, text, bytes, (answer) => jsonParse(answer) as VectorAnswer);
  }
}

/** The index "default" (functions.create_vector_index('default', ...)). */
export const vectorize = new Vectorize("default");
