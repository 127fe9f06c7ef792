// Answers questions from notes, and says which ones (retrieval-augmented generation):
//   POST {"add": {"id": "1", "text": "..."}}   stores a note and its vector
//   POST {"question": "..."}                   finds the notes that are nearest, and lets a model answer from them
//
// Any provider that speaks OpenAI's protocol will do; function.json names the models. The vector index has the dimensions of
// text-embedding-3-small (schema.sql).
const embed = async (text) => (await env.AI.run(env("EMBEDDING_MODEL"), { text })).data[0];

const instructions =
  "Answer the question from the notes alone, in one or two sentences. Give the numbers of the notes that you use, as [1]. " +
  "If the notes do not answer it, say that you do not know.";

async function ask(question) {
  const { matches } = await env.VECTORIZE.index("ask").query(await embed(question), { topK: 4, returnDocument: true });
  if (matches.length === 0) return { answer: "There are no notes yet.", sources: [] };
  const notes = matches.map(({ document }, i) => `[${i + 1}] ${document}`).join("\n");
  const { response } = await env.AI.run(
    env("CHAT_MODEL"),
    {
      messages: [
        { role: "system", content: instructions },
        { role: "user", content: `Notes:\n${notes}\n\nQuestion: ${question}` },
      ],
      max_tokens: 300,
    },
    // Equal questions over equal notes are answered from the cache for an hour.
    { gateway: { cacheTtl: 3600 } },
  );
  const isCited = (_, i) => response.includes(`[${i + 1}]`);
  return { answer: response, sources: matches.filter(isCited).map(({ id, document }) => ({ id, text: document })) };
}

export async function handler({ body }) {
  if (typeof body?.add?.text === "string") {
    const { id, text } = body.add;
    return await env.VECTORIZE.index("ask").upsert([{ id, values: await embed(text), document: text }]);
  }
  if (typeof body?.question === "string") return await ask(body.question);
  return { statusCode: 400, body: { error: 'Send {"add": {"id", "text"}} or {"question"}.' } };
}
