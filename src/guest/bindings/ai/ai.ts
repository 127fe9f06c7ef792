// `env.AI` and the global `ai`: the API of Workers AI, and a fetch for SDKs that speak OpenAI's protocol.
import { currentInvocation } from "../../invocation/current";
import { Bytes, Floats, includes, isArray, jsonParse, jsonStringify, toLowerCase } from "../../platform/intrinsics";
import { perform } from "../../platform/operations";
import type { AbortSignal } from "../../platform/web/abort";
import type { Request, RequestInit } from "../../platform/web/request";
import { Response } from "../../platform/web/response";
import type { URL } from "../../platform/web/url";
import { performUnlessAborted } from "./aborted";
import { answerStream } from "./answer-stream";
import { fetchModel } from "./sdk-fetch";

interface RunOptions {
  /** Answers with a Response instead of its value. */
  returnRawResponse?: boolean;
  signal?: AbortSignal;
  gateway?: object;
  tags?: string[];
}

interface ModelSearch {
  search?: string;
  page?: number;
  per_page?: number;
}

interface Model {
  id: string;
  name: string;
  provider: string;
  isPattern: boolean;
}

/** What the host answers: the value itself, a stream's number, or the shape of vectors whose numbers are its bytes. */
interface Answer {
  stream?: number;
  shape?: [count: number, dimensions: number];
  usage?: unknown;
}

/** Vectors as arrays of numbers: the bytes hold 32-bit numbers, one vector after the other. */
function vectorsOf([count, dimensions]: [number, number], bytes: Uint8Array): number[][] {
  // Copied, because numbers must begin at a multiple of four bytes.
  const numbers = new Floats(new Bytes(bytes).buffer);
  const vectors: number[][] = [];
  for (let i = 0; i < count; i++) {
    const vector: number[] = [];
    for (let k = 0; k < dimensions; k++) vector[k] = numbers[i * dimensions + k]!;
    vectors[i] = vector;
  }
  return vectors;
}

function refuse(member: string, instead: string): never {
  throw new TypeError("env.AI." + member + " is not supported by the sidecar" + instead);
}

/** Workers AI's binding. */
export class Ai {
  /** `fetch` for SDKs, for example `new OpenAI({ apiKey: "-", fetch: env.AI.fetch })`; needs no token and no allowed host. */
  readonly fetch = (input: string | URL | Request, init?: RequestInit): Promise<Response> => fetchModel(input, init);

  /** Asks a model. `inputs.stream` makes the answer a stream of server-sent events. */
  async run(model: string, inputs: object, options: RunOptions = {}): Promise<unknown> {
    currentInvocation("env.AI");
    if (typeof model !== "string") throw new TypeError("run takes the name of a model and its inputs.");
    if (typeof inputs !== "object" || inputs === null || isArray(inputs)) throw new TypeError("The inputs of run must be an object.");
    const { signal, returnRawResponse, ...others } = options ?? {};
    const text = jsonStringify({ model, inputs, options: others })!;
    return await performUnlessAborted("ai.run", text, undefined, signal ?? undefined, (answer, bytes) => {
      const value = jsonParse(answer) as Answer;
      if (typeof value.stream === "number") {
        const stream = answerStream(value.stream, signal ?? undefined);
        return returnRawResponse ? new Response(stream, { headers: { "content-type": "text/event-stream" } }) : stream;
      }
      if (value.shape !== undefined) {
        const data = vectorsOf(value.shape, bytes ?? new Bytes(0));
        const vectors = { shape: value.shape, data, usage: value.usage };
        return returnRawResponse ? Response.json(vectors) : vectors;
      }
      return returnRawResponse ? new Response(answer, { headers: { "content-type": "application/json" } }) : value;
    });
  }

  /** The models and patterns of names that the caller may ask for. */
  async models(search: ModelSearch = {}): Promise<unknown[]> {
    currentInvocation("env.AI");
    const { search: part, page = 1, per_page: size, ...others } = search;
    for (const name of Object.keys(others)) refuse("models", ": the parameter " + name + ". It knows search, page and per_page.");
    const models = await perform("ai.models", "", undefined, (answer) => (jsonParse(answer) as { models: Model[] }).models);
    const found: unknown[] = [];
    for (const { id, name, provider, isPattern } of models) {
      if (part !== undefined && !includes(toLowerCase(id), toLowerCase(String(part)))) continue;
      found[found.length] = { id, name, provider, isPattern, tags: [], properties: [] };
    }
    return size === undefined ? found : found.slice((page - 1) * size, page * size);
  }

  gateway(): never {
    refuse("gateway", ": every call goes through the one gateway; pass options.gateway to run.");
  }

  toMarkdown(): never {
    refuse("toMarkdown", ".");
  }

  autorag(): never {
    refuse("autorag", "; env.VECTORIZE searches.");
  }

  aiSearch(): never {
    refuse("aiSearch", "; env.VECTORIZE searches.");
  }
}

/** The models of every database. */
export const ai = new Ai();
