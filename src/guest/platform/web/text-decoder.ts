// TextDecoder (Encoding standard, 7.2): the engine's class, which supports UTF-8 and UTF-16, extended by windows-1252 under all its names.
import { bytesOf } from "./buffers";

const labels = new Set([
  "ansi_x3.4-1968", "ascii", "cp1252", "cp819", "csisolatin1", "ibm819", "iso-8859-1", "iso-ir-100", "iso8859-1", "iso88591",
  "iso_8859-1", "iso_8859-1:1987", "l1", "latin1", "us-ascii", "windows-1252", "x-cp1252",
]);

/** The characters of the bytes 0x80 to 0x9f; all other bytes are their own code points. */
const upper = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

function decodeWindows1252(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte >= 0x80 && byte < 0xa0 ? upper[byte - 0x80] : String.fromCharCode(byte);
  return text;
}

class WebTextDecoder extends TextDecoder {
  readonly #isWindows1252: boolean;

  constructor(label = "utf-8", options?: { fatal?: boolean; ignoreBOM?: boolean }) {
    const isWindows1252 = labels.has(String(label).trim().toLowerCase());
    super(isWindows1252 ? "utf-8" : label, options);
    this.#isWindows1252 = isWindows1252;
  }

  override get encoding(): string {
    // The engine's constructor reads this before the field exists.
    return #isWindows1252 in this && this.#isWindows1252 ? "windows-1252" : super.encoding;
  }

  override decode(bytes?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string {
    if (!this.#isWindows1252) return super.decode(bytes, options);
    return bytes === undefined ? "" : decodeWindows1252(bytesOf(bytes, "The input"));
  }

  get [Symbol.toStringTag](): string {
    return "TextDecoder";
  }
}

export { WebTextDecoder as TextDecoder };
