// The same handler for every server: parse JSON, answer JSON.
export default {
  async fetch(request) {
    const body = await request.json();
    return Response.json({ hello: body.name, length: body.items.length });
  },
};
