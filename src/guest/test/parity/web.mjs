// The rest of the web platform: cloning, events, messages, aborting, forms, URLs, encodings, errors.
import { collect, utf8 } from "./collect.mjs";

const cases = {};
const nameOf = (run) => { try { run(); return "nothing"; } catch (error) { return error.name; } };
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

cases["structuredClone of the language's types"] = () => {
  const source = { date: new Date(5), re: /a+/gi, map: new Map([[{ k: 1 }, new Set([1n])]]), bytes: new Uint8Array([1, 2, 3]).subarray(1), big: 2n ** 70n, boxed: Object("text"), nothing: undefined, hole: [1, , 3] };
  source.self = source;
  const copy = structuredClone(source);
  return [
    copy.self === copy, copy !== source, copy.date.getTime(), String(copy.re), copy.re.lastIndex, [...copy.map.keys()][0].k, typeof [...[...copy.map.values()][0]][0],
    [...copy.bytes], copy.bytes.buffer.byteLength, String(copy.big), typeof copy.boxed, "nothing" in copy, 1 in copy.hole, copy.hole.length,
  ];
};
cases["structuredClone of errors"] = () => {
  const error = Object.assign(new RangeError("message", { cause: new TypeError("cause") }), { extra: 1 });
  const copy = structuredClone(error);
  class Own extends Error { name = "Own"; }
  const own = structuredClone(new Own("own"));
  return [copy instanceof RangeError, copy.message, copy.cause instanceof TypeError, copy.extra, own.name, own.constructor.name];
};
cases["structuredClone keeps shared references and drops prototypes"] = () => {
  class Point { constructor() { this.x = 1; } get double() { return 2; } }
  const shared = { a: 1 };
  const copy = structuredClone({ one: shared, two: shared, point: new Point() });
  return [copy.one === copy.two, copy.point instanceof Point, copy.point.x, copy.point.double];
};
cases["structuredClone refuses"] = () => [
  nameOf(() => structuredClone(() => 1)), nameOf(() => structuredClone(Symbol("s"))), nameOf(() => structuredClone({ deep: [{ f() {} }] })),
  nameOf(() => structuredClone(new WeakMap())), nameOf(() => structuredClone(Promise.resolve())),
];
cases["structuredClone transfers buffers"] = () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const copy = structuredClone({ bytes, same: bytes.buffer }, { transfer: [bytes.buffer] });
  const other = new ArrayBuffer(8);
  return [bytes.byteLength, copy.bytes.byteLength, copy.bytes.buffer === copy.same, nameOf(() => structuredClone(other, { transfer: [other, other] })), nameOf(() => structuredClone(() => 1, { transfer: [other] })), other.byteLength];
};
cases["structuredClone of the web's objects"] = async () => {
  const blob = structuredClone(new Blob(["text"], { type: "a/b" }));
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]);
  const copy = structuredClone(key);
  return [await blob.text(), blob.type, copy !== key, copy.algorithm.length];
};
cases["structuredClone refuses the web's objects that hold more than data"] = [
  () => [new Headers(), new ReadableStream(), new Request("https://h"), new EventTarget()].map((value) => nameOf(() => structuredClone(value))),
  ["DataCloneError", "DataCloneError", "DataCloneError", "DataCloneError"],
];
cases["MessageChannel"] = async () => {
  const { port1, port2 } = new MessageChannel();
  const seen = [];
  port2.onmessage = (event) => { seen.push([event.data.n, event.type, event instanceof MessageEvent]); port2.postMessage("back"); };
  const back = new Promise((resolve) => { port1.onmessage = (event) => resolve(event.data); });
  const message = { n: 1 };
  port1.postMessage(message);
  message.n = 2;
  const answer = await back;
  port1.close();
  return [seen, answer];
};
cases["Events"] = () => {
  const target = new EventTarget();
  const log = [];
  target.addEventListener("a", function (event) { log.push(this === target, event.currentTarget === target, event.eventPhase, event.composedPath().length); });
  target.addEventListener("a", (event) => { event.preventDefault(); }, { passive: false });
  const event = new Event("a", { cancelable: true });
  const result = target.dispatchEvent(event);
  const controller = new AbortController();
  target.addEventListener("b", () => log.push("never"), { signal: controller.signal });
  controller.abort();
  target.dispatchEvent(new Event("b"));
  return [log, result, event.defaultPrevented, event.currentTarget, event.eventPhase, event.returnValue, Event.AT_TARGET, String(new CustomEvent("c", { detail: 5 })), new CustomEvent("c", { detail: 5 }).detail];
};
cases["AbortSignal.timeout and any"] = async () => {
  const timeout = AbortSignal.timeout(5);
  const any = AbortSignal.any([new AbortController().signal, timeout]);
  // Node.js ends when only such a signal is left to wait for.
  await Promise.all([later(50), new Promise((resolve) => any.addEventListener("abort", resolve))]);
  return [timeout.reason.name, any.reason === timeout.reason, any.aborted, AbortSignal.abort().reason.name, AbortSignal.abort(3).reason, nameOf(() => new AbortSignal())];
};
cases["DOMException"] = () => {
  const error = new DOMException("message", "AbortError");
  return [error.code, error.name, error.message, error instanceof Error, DOMException.DATA_CLONE_ERR, new DOMException("x").name, new DOMException("x", "DataError").code, Object.prototype.toString.call(error)];
};
cases["Timers and microtasks keep their order"] = async () => {
  const log = [];
  setTimeout(() => log.push("timer"), 0);
  queueMicrotask(() => log.push("microtask"));
  Promise.resolve().then(() => log.push("promise"));
  log.push("now");
  await later(20);
  return log;
};
cases["FormData"] = () => {
  const form = new FormData();
  form.append("a", 1);
  form.append("b", new Blob(["x"]), "n.txt");
  form.append("a", "2");
  return [form.getAll("a"), form.get("b").name, form.get("b") instanceof File, [...form.keys()], form.has("c"), form.get("c")];
};
cases["Forms travel"] = async () => {
  const form = new FormData();
  form.append('na"me', "line\r\nbreak");
  form.append("file", new File([new Uint8Array([0, 255, 13, 10])], "ü.bin", { type: "application/x" }));
  const back = await new Response(form).formData();
  const file = back.get("file");
  return [back.get('na"me'), file.name, file.type, [...new Uint8Array(await file.arrayBuffer())]];
};
cases["Blobs"] = async () => {
  const blob = new Blob(["ab", new Blob(["cd"]), utf8("ef").buffer, new Uint8Array([103])], { type: "TEXT/Plain" });
  const part = blob.slice(-4, -1, "x/y");
  const file = new File(["x"], "name", { lastModified: 5 });
  return [blob.size, blob.type, await blob.text(), await part.text(), part.type, await new Response(blob.stream()).text(), file.name, file.lastModified, String(file), nameOf(() => new Blob("text"))];
};
cases["Headers"] = () => {
  const headers = new Headers([["b", "1"], ["A", " 2 "], ["set-cookie", "x=1"], ["set-cookie", "y=2"], ["a", "3"]]);
  return [[...headers], headers.getSetCookie(), headers.get("set-cookie"), nameOf(() => headers.append("a b", "c")), nameOf(() => headers.set("a", "\n b \u0000"))];
};
cases["URLs"] = () => {
  const url = new URL("../b?x=1&x=2#f", "https://User:pw@EXAMPLE.com:8443/a/c");
  url.searchParams.append("y", "ä b");
  url.hash = "";
  return [url.href, url.origin, url.port, [...url.searchParams], URL.canParse("http://[::1"), new URL("http://ex%41mple.com/%7Efoo/../bar").href, new URL("file:///C:/a/../b").href, new URL("http://192.168.257/").hostname, nameOf(() => new URL("/x"))];
};
cases["URLSearchParams"] = () => {
  const params = new URLSearchParams("a=1&b=%F0%9F%98%80&a=+2");
  params.delete("a", "1");
  params.sort();
  return [params.toString(), params.size, params.has("a", " 2"), [...new URLSearchParams({ q: "a&b=c" })]];
};
cases["Encodings"] = () => [
  new TextDecoder("utf-16le").decode(new Uint8Array([97, 0, 172, 32])), new TextDecoder("latin1").encoding, new TextDecoder("iso-8859-1").decode(new Uint8Array([228, 255])),
  nameOf(() => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([255]))), nameOf(() => new TextDecoder("no-such")), new TextDecoder().decode(new Uint8Array([239, 187, 191, 97, 255])),
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array([239, 187, 191, 97])).length, new TextEncoder().encodeInto("a€b", new Uint8Array(3)), new TextDecoder().encoding, new TextDecoder("UTF8").fatal,
];
cases["Base64"] = () => [btoa("\u00ff\u0000"), atob(" /w A= "), nameOf(() => btoa("€")), nameOf(() => atob("a")), nameOf(() => atob("===="))];
cases["Responses"] = async () => {
  const response = new Response(ReadableStream.from([utf8("a"), utf8("b")]), { status: 201, headers: { "x-a": "1" } });
  const copy = response.clone();
  return [await response.text(), await copy.text(), response.bodyUsed, copy.status, copy.headers.get("x-a"), await Response.json([1]).json(), nameOf(() => new Response("x", { status: 204 })), nameOf(() => new Response("x", { status: 600 }))];
};
cases["Requests"] = async () => {
  const request = new Request("https://h/p?q#f", { method: "post", body: new URLSearchParams({ a: "b c" }), signal: AbortSignal.abort("r") });
  return [request.method, request.url, request.headers.get("content-type"), request.signal.reason, await request.clone().text(), [...(await request.formData())], nameOf(() => new Request("https://h", { body: "x" }))];
};
cases["URLPattern"] = [() => {
  const pattern = new URLPattern({ pathname: "/users/:id(\\d+)/*" });
  const match = pattern.exec("https://h/users/42/a/b");
  const text = new URLPattern("https://*.example.com/:file.:ext?");
  return [match.pathname.groups, pattern.test("https://h/users/x/a"), text.exec("https://a.example.com/b.png").pathname.groups, pattern.pathname, new URLPattern("/p/:a", "https://h").test("https://h/p/1")];
}, [{ 0: "a/b", id: "42" }, false, { ext: "png", file: "b" }, "/users/:id(\\d+)/*", true]];

export const results = () => collect(cases);
