/** Runs cases one after the other: what each gives, or the name of what it throws. A pair `[run, expected]` is for what Node.js lacks. */
export async function collect(cases) {
  const here = typeof process === "object";
  const results = {};
  for (const [name, entry] of Object.entries(cases)) {
    const [run, expected] = Array.isArray(entry) ? entry : [entry];
    try {
      results[name] = here && expected !== undefined ? expected : plain(await run());
    } catch (error) {
      results[name] = `throws ${error?.name ?? error}`;
    }
  }
  return results;
}

/** Bytes as hex; everything else as JSON has it. */
function plain(value) {
  if (value instanceof ArrayBuffer) return hex(new Uint8Array(value));
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  return value === undefined ? "undefined" : value;
}

export const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
export const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
export const utf8 = (text) => new TextEncoder().encode(text);
