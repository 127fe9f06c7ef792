// With an operation when asked for one: the difference is what it costs a function.
export async function handler({ body }) {
  if (body.get) return { value: await (await storage.get(`key:${body.id}`)).text() };
  if (body.put) return { value: `value ${(await storage.put(`new:${body.id}`, "value")).size}` };
  return { value: `value ${body.id}` };
}
