// Files of users: browsers upload and download directly, by signed URLs; the files themselves never pass through the function.
//   POST /uploads {"name", "type"}   a URL for an upload of at most 10 MB
//   GET  /uploads                    the caller's files, with URLs to download them
const maxBytes = 10_000_000;

export default {
  async fetch(request, env) {
    const files = env.STORAGE.bucket("uploads");
    const { sub } = (await env.DB.prepare("select functions.claims() ->> 'sub' as sub").first()) ?? {};
    if (!sub) return Response.json({ error: "Send a token that names a user (sub)." }, { status: 401 });
    const absolute = (path) => new URL(path, request.url).href;

    if (request.method === "POST") {
      const { name, type } = await request.json();
      if (!/^[\w. -]{1,100}$/.test(name ?? "")) return Response.json({ error: "Give the file a plain name." }, { status: 400 });
      const url = await files.createSignedUrl(`${sub}/${name}`, { method: "PUT", contentType: type, maxBytes, expiresIn: 300 });
      return Response.json({ upload: absolute(url) }, { status: 201 });
    }
    const { objects } = await files.list({ prefix: `${sub}/` });
    return Response.json(await Promise.all(objects.map(async ({ key, size, uploaded }) => {
      const name = key.slice(sub.length + 1);
      return { name, size, uploaded, url: absolute(await files.createSignedUrl(key, { download: name })) };
    })));
  },
};
