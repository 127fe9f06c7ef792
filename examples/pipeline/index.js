// A pipeline in real time: webhook -> queue -> model -> vectors -> cache. A service reports incidents by a signed webhook, {"id", "text"}.
//   fetch   the webhook puts each report into the queue, and is done; a request of a user asks for reports like a text:
//           GET ?like=...   their summaries, from the cache for a minute
//   queue   a batch of reports becomes vectors by one call, and each a summary; what fails is retried alone
const index = (env) => env.VECTORIZE.index("pipeline");

async function summarize(env, text) {
  const { response } = await env.AI.run(env.CHAT_MODEL, {
    messages: [{ role: "system", content: "Summarize the report in one sentence." }, { role: "user", content: text }],
    max_tokens: 100,
  });
  return response;
}

async function similar(env, text) {
  // One computation for all who ask at the same time, on whichever sidecar.
  return await env.CACHE.getOrSet(`pipeline:${text}`, async () => {
    const { data: [vector] } = await env.AI.run(env.EMBEDDING_MODEL, { text });
    const { matches } = await index(env).query(vector, { topK: 5, returnMetadata: "all" });
    return matches.map(({ id, metadata }) => ({ id, summary: metadata.summary }));
  }, { type: "json", expirationTtl: 60 });
}

export default {
  async fetch(request, env) {
    const like = new URL(request.url).searchParams.get("like");
    if (request.method === "GET" && like) return Response.json(await similar(env, like.slice(0, 400)));
    const { id, text } = await request.json();
    if (typeof id !== "string" || typeof text !== "string") return Response.json({ error: "Send {id, text}." }, { status: 400 });
    await env.QUEUE.queue("pipeline").send({ id, text });
    return Response.json({ queued: id }, { status: 202 });
  },

  async queue(batch, env) {
    const { data } = await env.AI.run(env.EMBEDDING_MODEL, { text: batch.messages.map(({ body }) => body.text) });
    for (const [i, message] of batch.messages.entries()) {
      try {
        const { id, text } = message.body;
        // Under the same id a report that arrives again replaces itself.
        await index(env).upsert([{ id, values: data[i], metadata: { summary: await summarize(env, text) } }]);
        message.ack();
      } catch (error) {
        console.error(`report ${message.body.id}: ${error.message}`);
        message.retry();
      }
    }
  },
};
