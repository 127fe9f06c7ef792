// With a get when asked for one: the difference is what the get costs a function.
export async function handler(event) {
  if (!event.body.get) return { value: `value ${event.body.id}` };
  return { value: await cache.get(`key:${event.body.id}`, event.body.copy ? { cacheTtl: 86400 } : undefined) };
}
