// How long ago each message was sent, in milliseconds.
export async function handler(event) {
  const now = performance.timeOrigin + performance.now();
  await db.query("insert into bench.arrivals select unnest($1::float8[])", [event.messages.map((m) => now - m.body)]);
}
