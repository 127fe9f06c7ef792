// multipart/form-data (RFC 7578) both ways.
import { decodeUtf8, encodeUtf8 } from "../intrinsics";
import { blobBytes, File } from "./blob";
import { FormData } from "./form-data";
import { concat } from "./streams";
import { URLSearchParams } from "./url";

/** Writes a form as a body, with the boundary for its content type. */
export function encodeMultipart(form: FormData): { bytes: Uint8Array; boundary: string } {
  const boundary = `----formdata-${crypto.randomUUID()}`;
  const chunks: Uint8Array[] = [];
  const push = (chunk: Uint8Array) => chunks.push(chunk);
  for (const [name, value] of form) {
    const disposition = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(name)}"`;
    if (typeof value === "string") {
      push(encodeUtf8(`${disposition}\r\n\r\n${value.replace(/\r\n|\r|\n/g, "\r\n")}\r\n`));
    } else {
      const type = value.type || "application/octet-stream";
      push(encodeUtf8(`${disposition}; filename="${escapeName(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`));
      push(blobBytes(value));
      push(encodeUtf8("\r\n"));
    }
  }
  push(encodeUtf8(`--${boundary}--\r\n`));
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return { bytes: concat(chunks, length), boundary };
}

function escapeName(name: string): string {
  return name.replaceAll("\r", "%0D").replaceAll("\n", "%0A").replaceAll('"', "%22");
}

/** The form in a body of the given content type; a TypeError if the body is no such form. */
export function decodeForm(bytes: Uint8Array, contentType: string): FormData {
  const type = contentType.split(";", 1)[0]!.trim().toLowerCase();
  if (type === "application/x-www-form-urlencoded") return decodeUrlEncoded(decodeUtf8(bytes));
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  if (type !== "multipart/form-data" || boundary === null) {
    throw new TypeError(`formData() needs a form's content type, not "${contentType}".`);
  }
  return decodeMultipart(bytes, boundary[1] ?? boundary[2]!);
}

function decodeUrlEncoded(text: string): FormData {
  const form = new FormData();
  for (const [name, value] of new URLSearchParams(text)) form.append(name, value);
  return form;
}

function decodeMultipart(bytes: Uint8Array, boundary: string): FormData {
  const form = new FormData();
  const delimiter = encodeUtf8(`\r\n--${boundary}`);
  const opening = delimiter.subarray(2);
  let at = startsAt(bytes, opening, 0) ? opening.length : indexOf(bytes, delimiter, 0) + delimiter.length;
  if (at < delimiter.length - 2) throw malformed("the boundary is missing");
  for (;;) {
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) return form;
    const lineEnd = indexOf(bytes, lineBreak, at);
    const headEnd = indexOf(bytes, blankLine, at);
    const end = headEnd < 0 ? -1 : indexOf(bytes, delimiter, headEnd + 2);
    if (lineEnd < 0 || end < 0) throw malformed("a part does not end");
    addPart(form, decodeUtf8(bytes.subarray(lineEnd + 2, headEnd)), bytes.subarray(headEnd + 4, Math.max(end, headEnd + 4)));
    at = end + delimiter.length;
  }
}

const lineBreak = encodeUtf8("\r\n");
const blankLine = encodeUtf8("\r\n\r\n");

function malformed(why: string): TypeError {
  return new TypeError(`The multipart body is malformed: ${why}.`);
}

function addPart(form: FormData, head: string, content: Uint8Array): void {
  const headers = new Map(
    head.split("\r\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const disposition = headers.get("content-disposition") ?? "";
  const name = parameter(disposition, "name");
  if (name === undefined) throw malformed("a part has no name");
  const filename = parameter(disposition, "filename");
  if (filename === undefined) form.append(name, decodeUtf8(content));
  else form.append(name, new File([content], filename, { type: headers.get("content-type") ?? "text/plain" }));
}

function parameter(disposition: string, name: string): string | undefined {
  const found = new RegExp(`;\\s*${name}=(?:"([^"]*)"|([^;\\s]*))`, "i").exec(disposition);
  const value = found?.[1] ?? found?.[2];
  return value?.replaceAll("%22", '"').replaceAll("%0D", "\r").replaceAll("%0A", "\n");
}

/** The position of `part` in `bytes` from `from` on, or -1. */
function indexOf(bytes: Uint8Array, part: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(part[0]!, from); at >= 0; at = bytes.indexOf(part[0]!, at + 1)) {
    if (startsAt(bytes, part, at)) return at;
  }
  return -1;
}

function startsAt(bytes: Uint8Array, part: Uint8Array, at: number): boolean {
  if (at + part.length > bytes.length) return false;
  for (let i = 0; i < part.length; i++) if (bytes[at + i] !== part[i]) return false;
  return true;
}
