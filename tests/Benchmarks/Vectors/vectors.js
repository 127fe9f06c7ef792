// With a search when asked for one: the difference is what the search costs a function.
export async function handler(event) {
  const { search, vector, filter } = event.body;
  if (!search) return { ids: [vector[0]] };
  const { matches } = await env.VECTORIZE.index("bench").query(vector, { topK: 10, filter });
  return { ids: matches.map((match) => match.id) };
}
