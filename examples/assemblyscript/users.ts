// A reactor in AssemblyScript that queries the database as the caller and answers HTTP.
//   npm ci && npm run build && pgfn deploy users-as --wasm dist/users.wasm
import { answer, log, query, read } from "./aerodb";

export { alloc } from "./aerodb";

export function handler(address: usize, length: i32): u64 {
  const event = read(address, length);
  log(0, "an event of " + event.length.toString() + " characters");
  const users = query("select id, email from examples.users order by email limit $1", "[20]");
  if (users.ok) return answer('{"statusCode":200,"headers":{"x-language":"AssemblyScript"},"body":' + users.json + "}");
  log(3, users.json);
  return answer('{"statusCode":503,"body":{"error":"The users can\'t be read just now."}}');
}
