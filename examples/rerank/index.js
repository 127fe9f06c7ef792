// Searches articles in two steps: vectors and words find twenty candidates quickly, and a model that reads the question together with each of
// them puts the best ones first.
//   POST {"add": {"id": "1", "text": "..."}}   as service_role
//   POST {"query": "...", "top": 3}            for every user
// If the second model fails, the order of the first step is the answer: a search that is a little worse is better than none.
const candidates = 20;
const embed = async (text) => (await env.AI.run(env("EMBEDDING_MODEL"), { text })).data[0];

async function search(query, top) {
  const { matches } = await env.VECTORIZE.index("rerank")
    .query(await embed(query), { topK: candidates, text: query, returnDocument: true });
  const found = matches.map(({ id, document }) => ({ id, text: document }));
  if (found.length === 0) return { reranked: false, articles: [] };
  try {
    const contexts = found.map(({ text }) => ({ text }));
    const { response } = await env.AI.run(env("RERANK_MODEL"), { query, contexts, top_k: top }, { gateway: { cacheTtl: 3600 } });
    return { reranked: true, articles: response.map(({ id, score }) => ({ ...found[id], score })) };
  } catch (error) {
    log.warn(`not reranked: ${error.code} ${error.message}`);
    return { reranked: false, articles: found.slice(0, top) };
  }
}

export async function handler({ body }) {
  if (typeof body?.add?.text === "string") {
    const { id, text } = body.add;
    return await env.VECTORIZE.index("rerank").upsert([{ id, values: await embed(text), document: text }]);
  }
  const { query, top = 3 } = body ?? {};
  if (typeof query === "string" && Number.isInteger(top) && top >= 1 && top <= candidates) return await search(query, top);
  return { statusCode: 400, body: { error: `Send {"add": {"id", "text"}} or {"query", "top"}; top is 1 to ${candidates}.` } };
}
