// The imports by which modules call the sidecar: docs/wasm-abi.md.

@external("aerodb", "db_query")
declare function db_query(sql: usize, sqlLength: i32, parameters: usize, parametersLength: i32): i32;

@external("aerodb", "log")
declare function aerodb_log(level: i32, text: usize, length: i32): i32;

@external("aerodb", "result_len")
declare function result_len(): i32;

@external("aerodb", "result_read")
declare function result_read(offset: i32, buffer: usize, length: i32): i32;

/** The result of a call: whether it succeeded, and the JSON of its result or error. */
export class Result {
  constructor(public ok: bool, public json: string) {}
}

/** Runs a statement with $1, $2 ...; the parameters are a JSON array. */
export function query(sql: string, parameters: string = "[]"): Result {
  const statement = String.UTF8.encode(sql);
  const values = String.UTF8.encode(parameters);
  const status = db_query(changetype<usize>(statement), statement.byteLength, changetype<usize>(values), values.byteLength);
  const result = new ArrayBuffer(result_len());
  result_read(0, changetype<usize>(result), result.byteLength);
  return new Result(status == 0, String.UTF8.decode(result));
}

/** Writes a line to the log: 0 debug, 1 info, 2 warn, 3 error. */
export function log(level: i32, text: string): void {
  const line = String.UTF8.encode(text);
  aerodb_log(level, changetype<usize>(line), line.byteLength);
}

/** Called by the sidecar to allocate memory for the event. Nothing is freed: memory is restored after each invocation. */
export function alloc(length: i32): usize {
  return heap.alloc(length);
}

/** Reads the event's JSON. */
export function read(address: usize, length: i32): string {
  return String.UTF8.decodeUnsafe(address, length);
}

/** Encodes a handler's result: the address and length of the answer. */
export function answer(json: string): u64 {
  const bytes = String.UTF8.encode(json);
  return ((changetype<usize>(bytes) as u64) << 32) | (bytes.byteLength as u64);
}
