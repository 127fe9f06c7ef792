// Adds the check by which the JavaScript engine is stopped: at the head of every loop it traps unless a word in a second memory is 0, which
// its own code can't address. The word is read atomically; otherwise the compiler would read it only once.
import { Reader, build, exportsOf, sections, text, unsigned } from "./binary.mjs";

const Loop = 0x03;
// i32.const 0, i32.atomic.load (memory 1), if, unreachable, end
const check = Buffer.from([0x41, 0, 0xfe, 0x10, 0x42, 1, 0, 0x04, 0x40, 0x00, 0x0b]);

/** Skips the operands of an instruction. */
const skipOperands = (reader, opcode) => {
  if (opcode === 0x02 || opcode === Loop || opcode === 0x04 || opcode === 0x0c || opcode === 0x0d || opcode === 0x10 || opcode === 0x12)
    reader.skip();
  else if ((opcode >= 0x20 && opcode <= 0x26) || (opcode >= 0x3f && opcode <= 0x42) || opcode === 0xd0 || opcode === 0xd2) reader.skip();
  else if (opcode === 0x0e) for (let labels = reader.unsigned(); labels >= 0; labels--) reader.skip();
  else if (opcode === 0x11 || opcode === 0x13) reader.skip(), reader.skip();
  else if (opcode === 0x1c) reader.take(reader.unsigned());
  else if (opcode >= 0x28 && opcode <= 0x3e) reader.skip(), reader.skip();
  else if (opcode === 0x43) reader.take(4);
  else if (opcode === 0x44) reader.take(8);
  else if (opcode === 0xfc) skipBulk(reader, reader.unsigned());
  else if (opcode === 0xfd) skipVector(reader, reader.unsigned());
  else if (![0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1].includes(opcode) && !(opcode >= 0x45 && opcode <= 0xc4))
    throw new Error(`The engine has the instruction ${opcode.toString(16)}, which this script does not know.`);
};

const skipBulk = (reader, instruction) => {
  if (instruction < 8) return;
  reader.skip();
  if (instruction === 8 || instruction === 10 || instruction === 12 || instruction === 14) reader.skip();
};

const skipVector = (reader, instruction) => {
  const isMemory = instruction <= 11 || instruction === 92 || instruction === 93;
  const isMemoryLane = instruction >= 84 && instruction <= 91;
  if (isMemory || isMemoryLane) reader.skip(), reader.skip();
  if (instruction === 12 || instruction === 13) reader.take(16);
  if (isMemoryLane || (instruction >= 21 && instruction <= 34)) reader.byte();
};

const rewrite = body => {
  const reader = new Reader(body);
  for (let groups = reader.unsigned(); groups > 0; groups--) reader.skip(), reader.byte();
  const pieces = [];
  let written = 0;
  while (!reader.isAtEnd) {
    const opcode = reader.byte();
    skipOperands(reader, opcode);
    if (opcode !== Loop) continue;
    pieces.push(body.subarray(written, reader.at), check);
    written = reader.at;
  }
  return Buffer.concat([...pieces, body.subarray(written)]);
};

/** Adds a check to every loop, and exports the memories under the names that the host expects. */
export const makeInterruptible = module => {
  const parts = sections(module);
  const memories = parts.find(part => part.id === 5);
  const old = new Reader(memories.body);
  if (old.unsigned() !== 1) throw new Error("The engine must have one memory.");
  memories.body = Buffer.concat([Buffer.from([2]), memories.body.subarray(old.at), Buffer.from([1, 1, 1])]);
  const exports = [...exportsOf(parts), ["pgfn:memory:0", { kind: 2, index: 0 }], ["pgfn:memory:1", { kind: 2, index: 1 }]];
  const entries = exports.flatMap(([name, { kind, index }]) => [...text(name), kind, ...unsigned(index)]);
  parts.find(part => part.id === 7).body = Buffer.from([...unsigned(exports.length), ...entries]);
  const code = parts.find(part => part.id === 10);
  const reader = new Reader(code.body);
  const count = reader.unsigned();
  const bodies = [Buffer.from(unsigned(count))];
  for (let index = 0; index < count; index++) {
    const body = rewrite(reader.take(reader.unsigned()));
    bodies.push(Buffer.from(unsigned(body.length)), body);
  }
  code.body = Buffer.concat(bodies);
  return build(parts);
};
