// WHATWG streams: readable, writable and transform streams, byte streams with readers of one's own buffers, tee, pipes, iteration.
import { collect, utf8 } from "./collect.mjs";

const cases = {};
const counting = (count, log = []) => new ReadableStream({
  pull(controller) {
    log.push("pull");
    controller.enqueue(log.length);
    if (log.length === count) controller.close();
  },
  cancel: (reason) => log.push(`cancel ${reason}`),
});
const all = async (stream) => { const items = []; for await (const item of stream) items.push(item); return items; };

cases["Iteration, and what a break cancels"] = async () => {
  const log = [];
  for await (const item of counting(5, log)) if (item === 2) break;
  const kept = counting(3);
  for await (const item of kept.values({ preventCancel: true })) if (item === 1) break;
  return [log.at(-1), kept.locked, await all(kept)];
};
cases["tee gives both branches everything"] = async () => {
  const [a, b] = counting(3).tee();
  return [await all(a), await all(b)];
};
cases["ReadableStream.from iterables"] = async () => [
  await all(ReadableStream.from([1, 2])), await all(ReadableStream.from((async function* () { yield "a"; yield "b"; })())),
];
cases["A pipe carries errors both ways"] = async () => {
  const log = [];
  const sink = () => new WritableStream({ write: (chunk) => { log.push(chunk); if (chunk === 2) throw new RangeError("full"); }, abort: (reason) => { log.push(`abort ${reason.name}`); } });
  await counting(3, log).pipeTo(sink()).catch((error) => log.push(error.name));
  const failing = new ReadableStream({ start: (controller) => controller.error(new SyntaxError("broken")) });
  await failing.pipeTo(sink()).catch((error) => log.push(error.name));
  return log;
};
cases["A pipe that is aborted"] = async () => {
  const controller = new AbortController();
  const log = [];
  const piping = new ReadableStream({ cancel: (reason) => { log.push(`cancelled ${reason}`); } })
    .pipeTo(new WritableStream({ abort: (reason) => { log.push(`aborted ${reason}`); } }), { signal: controller.signal });
  controller.abort("enough");
  await piping.catch((reason) => log.push(`rejected ${reason}`));
  return log.sort();
};
cases["pipeTo can leave both ends open"] = async () => {
  const chunks = [];
  const sink = new WritableStream({ write: (chunk) => { chunks.push(chunk); } });
  await ReadableStream.from([1]).pipeTo(sink, { preventClose: true });
  await ReadableStream.from([2]).pipeTo(sink);
  return [chunks, await sink.getWriter().closed.then(() => "closed")];
};
cases["Backpressure"] = async () => {
  const stream = new WritableStream({ write: () => new Promise(() => undefined) }, new CountQueuingStrategy({ highWaterMark: 2 }));
  const writer = stream.getWriter();
  const sizes = [writer.desiredSize];
  writer.write(1).catch(() => undefined);
  sizes.push(writer.desiredSize);
  writer.write(2).catch(() => undefined);
  sizes.push(writer.desiredSize);
  const readable = new ReadableStream({ start(controller) { controller.enqueue(new Uint8Array(10)); sizes.push(controller.desiredSize); } }, new ByteLengthQueuingStrategy({ highWaterMark: 16 }));
  return [sizes, readable.locked, new CountQueuingStrategy({ highWaterMark: 3 }).size(), new ByteLengthQueuingStrategy({ highWaterMark: 3 }).size(new Uint8Array(5))];
};
cases["Byte streams fill the reader's own buffer"] = async () => {
  const stream = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const { byobRequest } = controller;
      byobRequest.view[0] = 7;
      byobRequest.respond(1);
    },
  });
  const reader = stream.getReader({ mode: "byob" });
  const { value } = await reader.read(new Uint8Array(4));
  reader.releaseLock();
  return [[...value], value.buffer.byteLength, stream.locked];
};
cases["Byte streams split what was put in"] = async () => {
  const stream = new ReadableStream({ type: "bytes", start(controller) { controller.enqueue(utf8("abcdef")); controller.close(); } });
  const reader = stream.getReader({ mode: "byob" });
  const first = await reader.read(new Uint8Array(4));
  const second = await reader.read(new Uint8Array(4));
  const last = await reader.read(new Uint8Array(4));
  return [new TextDecoder().decode(first.value), new TextDecoder().decode(second.value), last.done, last.value?.byteLength];
};
cases["A transform with start, transform and flush"] = async () => {
  const stream = new TransformStream({
    start: (controller) => controller.enqueue("first"),
    transform(chunk, controller) { if (chunk === "stop") controller.terminate(); else controller.enqueue(chunk.toUpperCase()); },
    flush: (controller) => controller.enqueue("last"),
  });
  const stopped = new TransformStream({ transform(chunk, controller) { if (chunk === "stop") controller.terminate(); else controller.enqueue(chunk); } });
  return [await all(ReadableStream.from(["a", "b"]).pipeThrough(stream)), await all(ReadableStream.from(["a", "stop", "b"]).pipeThrough(stopped)).catch((error) => error.name)];
};
cases["A transform that throws fails both sides"] = async () => {
  const { readable, writable } = new TransformStream({ transform() { throw new RangeError("no"); } });
  const writer = writable.getWriter();
  const writing = writer.write(1).then(() => "written", (error) => error.name);
  return [await readable.getReader().read().catch((error) => error.name), await writing, await writer.closed.catch((error) => error.name)];
};
cases["Locks"] = async () => {
  const stream = new ReadableStream();
  const reader = stream.getReader();
  const second = (() => { try { stream.getReader(); } catch (error) { return error.name; } })();
  const pending = reader.read().catch((error) => error.name);
  reader.releaseLock();
  return [second, await pending, stream.locked, await stream.cancel("x").then(() => "cancelled")];
};
cases["Text streams cut characters anywhere"] = async () => {
  const euro = utf8("a€😀");
  const text = await all(ReadableStream.from(Array.from(euro, (byte) => Uint8Array.of(byte))).pipeThrough(new TextDecoderStream()));
  const bytes = await all(ReadableStream.from(["a\ud83d", "\ude00", "\ud83d"]).pipeThrough(new TextEncoderStream()));
  return [text.join(""), bytes.flatMap((chunk) => [...chunk])];
};
cases["Readers, writers and controllers have global names"] = () => [
  "ReadableStreamDefaultReader", "ReadableStreamBYOBReader", "ReadableStreamDefaultController", "ReadableByteStreamController",
  "ReadableStreamBYOBRequest", "WritableStreamDefaultWriter", "WritableStreamDefaultController", "TransformStreamDefaultController",
].map((name) => [typeof globalThis[name], globalThis[name].name]);
cases["A writer's state"] = [async () => {
  const log = [];
  const stream = new WritableStream({ write: (chunk) => { log.push(chunk); }, close: () => { log.push("closed"); } });
  const writer = stream.getWriter();
  await writer.ready;
  writer.write("a");
  await writer.close();
  return [log, await writer.write("b").catch((error) => error.name), writer.desiredSize, stream.locked];
}, [["a", "closed"], "TypeError", 0, true]];

export const results = () => collect(cases);
