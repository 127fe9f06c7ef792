// The same module for the sidecar and for Miniflare: one operation on the cache or the bucket, named by the path's first part, its key by
// the second. A request that does nothing shows what an operation adds.
const small = "a small value";
const kilobyte = new Uint8Array(1024).fill(7);

export default {
  async fetch(request, env) {
    const [, operation, key] = new URL(request.url).pathname.split("/");
    switch (operation) {
      case "nothing":
        return new Response(small);
      case "cache-put":
        await env.CACHE.put(key, small);
        return new Response(small);
      case "cache-get":
        return new Response(await env.CACHE.get(key));
      case "object-put":
        return new Response(String((await env.STORAGE.put(key, kilobyte)).size));
      case "object-get":
        return new Response((await env.STORAGE.get(key)).body);
      case "upload":
        return new Response(String((await env.STORAGE.put(key, request.body)).size));
      default:
        return new Response("no such operation", { status: 404 });
    }
  },
};
