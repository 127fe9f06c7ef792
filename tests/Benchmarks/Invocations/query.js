// With a query when asked for one: the difference is what the query costs a function.
export async function handler(event) {
  if (!event.body.query) return { id: event.body.id, title: `item ${event.body.id}` };
  const rows = await db.query("select id, title from bench.items where id = $1", [event.body.id]);
  return { id: rows[0].id, title: rows[0].title };
}
