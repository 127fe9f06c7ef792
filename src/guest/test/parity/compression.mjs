// CompressionStream and DecompressionStream: what one side compresses, the other's zlib reads; damage is an error.
import { collect, unhex, utf8 } from "./collect.mjs";

const cases = {};
const text = utf8("The quick brown fox jumps over the lazy dog. ".repeat(5_000));
const noise = new Uint8Array(300_000).map((_, i) => (i * i * 31 + (i >> 3)) & 255);
const through = (stream, ...chunks) => new Response(ReadableStream.from(chunks).pipeThrough(stream)).arrayBuffer().then((buffer) => new Uint8Array(buffer));
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

for (const format of ["gzip", "deflate", "deflate-raw"]) {
  cases[`${format}: back and forth`] = async () => {
    const all = [];
    for (const data of [text, noise, new Uint8Array(), utf8("x")]) {
      const compressed = await through(new CompressionStream(format), data);
      all.push(same(await through(new DecompressionStream(format), compressed), data), data === text && compressed.length < 2_000);
    }
    return all;
  };
  cases[`${format}: in chunks of one byte`] = async () => {
    const compressed = await through(new CompressionStream(format), utf8("hello"), utf8(" "), utf8("world"));
    return new TextDecoder().decode(await through(new DecompressionStream(format), ...Array.from(compressed, (byte) => Uint8Array.of(byte))));
  };
  cases[`${format}: what is cut off, changed, or goes on is refused`] = [async () => {
    const compressed = await through(new CompressionStream(format), text);
    const failure = (...chunks) => through(new DecompressionStream(format), ...chunks).then(() => "nothing", (error) => error.name);
    return [
      await failure(compressed.slice(0, -5)), await failure(), await failure(unhex("ffffffffffffffffffffffffffffff")),
      await failure(compressed, Uint8Array.of(1)), await failure("text"),
    ];
  }, ["TypeError", "TypeError", "TypeError", "TypeError", "TypeError"]];
}
cases["A format that is none"] = () => new CompressionStream("brotli");
cases["A bomb is taken one piece at a time"] = [async () => {
  const zeros = new Uint8Array(1 << 20);
  const bomb = await through(new CompressionStream("gzip"), ...Array.from({ length: 40 }, () => zeros));
  let pieces = 0;
  let largest = 0;
  for await (const piece of ReadableStream.from([bomb]).pipeThrough(new DecompressionStream("gzip"))) {
    largest = Math.max(largest, piece.length);
    if (++pieces === 50) break;
  }
  return [bomb.length < 50_000, pieces, largest <= 65_536];
}, [true, 50, true]];
cases["Cancelled while compressing"] = async () => {
  const stream = new CompressionStream("gzip");
  const writer = stream.writable.getWriter();
  writer.write(text).catch(() => undefined);
  const reader = stream.readable.getReader();
  await reader.cancel("enough");
  return (await reader.read()).done;
};
cases["Tags"] = async () => [String(new CompressionStream("gzip")), String(new DecompressionStream("gzip"))];

export const results = () => collect(cases);
