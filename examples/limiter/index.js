// Two uses of the cache: at most ten calls of each user in a minute, and a value that is computed once for all callers.
const perMinute = 10;

export async function handler(event) {
  const minute = Math.floor(Date.now() / 60_000);
  const calls = await cache.increment(`calls:${event.user_id}:${minute}`, 1, { expirationTtl: 60 });
  if (calls > perMinute) return { statusCode: 429, headers: { "retry-after": "60" }, body: { error: `more than ${perMinute} calls a minute` } };
  const report = await cache.getOrSet("report", slowReport, { type: "json", expirationTtl: 30 });
  return { calls, report };
}

/** Something that not every call should wait for. */
async function slowReport() {
  const [{ functions }] = await db.query("select count(*)::int as functions from pg_catalog.pg_proc");
  return { functions, at: new Date().toISOString() };
}
