// The Workers form: routes by URL, over env.DB. It lists links, and counts visitors when it redirects. The request's path
// starts after the function's name.

async function listLinks(env) {
  const { results } = await env.DB.prepare("SELECT slug, url, visits FROM examples.links ORDER BY slug").all();
  return Response.json(results);
}

async function addLink(request, env) {
  const { slug, url } = await request.json();
  if (!/^[a-z0-9-]{1,40}$/.test(slug ?? "") || !URL.canParse(url ?? "")) {
    return Response.json({ error: "A link needs a slug (a-z, 0-9, -) and a url." }, { status: 400 });
  }
  try {
    const link = await env.DB
      .prepare("INSERT INTO examples.links (slug, url) VALUES (?, ?) ON CONFLICT (slug) DO NOTHING RETURNING slug, url, visits")
      .bind(slug, url)
      .first();
    return link ? Response.json(link, { status: 201 }) : Response.json({ error: "That slug is taken." }, { status: 409 });
  } catch (error) {
    // insufficient_privilege: only signed-in users may insert.
    if (error.code === "42501") return Response.json({ error: "Sign in to add links." }, { status: 403 });
    throw error;
  }
}

async function follow(slug, env, ctx) {
  const url = await env.DB.prepare("SELECT url FROM examples.links WHERE slug = ?").bind(slug).first("url");
  if (url === null) return Response.json({ error: "No such link." }, { status: 404 });
  // The visitor need not wait for the counter.
  ctx.waitUntil(env.DB.prepare("SELECT examples.count_visit(?)").bind(slug).run());
  return Response.redirect(url, 302);
}

export default {
  async fetch(request, env, ctx) {
    const path = new URL(request.url).pathname;
    if (path === "/links" && request.method === "GET") return listLinks(env);
    if (path === "/links" && request.method === "POST") return addLink(request, env);
    if (path.startsWith("/to/") && request.method === "GET") return follow(path.slice("/to/".length), env, ctx);
    return Response.json({ error: "Not found", try: ["GET /links", "POST /links", "GET /to/{slug}"] }, { status: 404 });
  },
};
