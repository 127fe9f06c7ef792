// Computations of crypto.subtle on the host. Light work is synchronous; heavy work is an operation of the
// invocation, done by another thread.
import { computeNow } from "../../host";
import { currentInvocation } from "../../../invocation/current";
import { errorFromHost } from "../../errors";
import { Bytes, jsonStringify, NativeError } from "../../intrinsics";
import { perform } from "../../operations";
import { concat } from "../streams";

/** The host's limit; longer payloads are heavy. */
const lightBytes = 64 * 1024;

const heavy = /^pair\.|^pbkdf2$/;

/** Computes the named function of parameters and parts. Fails with an OperationError, DataError or NotSupportedError. */
export async function compute(name: string, parameters: object, ...parts: Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  const { text, bytes } = pack(parameters, parts);
  if (bytes.length <= lightBytes && !heavy.test(name)) {
    const answer = computeNow(name, text, bytes);
    if (typeof answer === "string") throw errorFromHost(answer, new NativeError());
    return answer;
  }
  currentInvocation("crypto.subtle with key pairs, PBKDF2 or many bytes");
  return await perform("crypto." + name, text, bytes, (_text, answer) => (answer ?? new Bytes(0)) as Uint8Array<ArrayBuffer>);
}

function pack(parameters: object, parts: readonly Uint8Array[]): { text: string; bytes: Uint8Array } {
  const lengths = parts.slice(0, -1).map((part) => part.length);
  const text = jsonStringify({ ...parameters, parts: lengths })!;
  if (parts.length === 1) return { text, bytes: parts[0]! };
  return { text, bytes: concat(parts, parts.reduce((sum, part) => sum + part.length, 0)) };
}
