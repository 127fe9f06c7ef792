// Searches documents by vectors: POST {"add": {"id": "1", "text": "..."}} stores one, {"query": "..."} finds the most similar ones.
//
// A stand-in makes the vectors, so that the example runs without a model: it counts the three-letter pieces of the words, so it finds words
// that are written alike and knows no meaning. Replace it by a call of an embedding model.
const dimensions = 256;

function embed(text) {
  const vector = new Float32Array(dimensions);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const padded = ` ${word} `;
    for (let i = 0; i + 3 <= padded.length; i++) vector[hash(padded.slice(i, i + 3)) % dimensions] += 1;
  }
  return vector;
}

/** FNV-1a. */
function hash(text) {
  let value = 2166136261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  return value >>> 0;
}

export async function handler(event) {
  const index = env.VECTORIZE.index("example");
  const { add, query, filter } = event.body ?? {};
  if (add) {
    return await index.upsert([{ id: add.id, values: embed(add.text), metadata: add.metadata, document: add.text }]);
  }
  const { matches } = await index.query(embed(query), { topK: 3, filter, text: query, returnDocument: true, returnMetadata: "all" });
  return matches;
}
