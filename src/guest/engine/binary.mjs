// The binary format of WebAssembly: sections, numbers, names.

/** An unsigned number. */
export const unsigned = value => {
  const bytes = [];
  do {
    const low = value & 127;
    value >>>= 7;
    bytes.push(value ? low | 128 : low);
  } while (value);
  return bytes;
};

/** A signed number. */
export const signed = value => {
  const bytes = [];
  for (;;) {
    const low = value & 127;
    value >>= 7;
    if ((value === 0 && !(low & 64)) || (value === -1 && low & 64)) return [...bytes, low];
    bytes.push(low | 128);
  }
};

/** A name with its length. */
export const text = name => [...unsigned(Buffer.byteLength(name)), ...Buffer.from(name)];

export class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get isAtEnd() {
    return this.at >= this.bytes.length;
  }

  byte() {
    return this.bytes[this.at++];
  }

  unsigned() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const next = this.byte();
      value |= (next & 127) << shift;
      if (next < 128) return value >>> 0;
    }
  }

  /** Skips a number of any kind. */
  skip() {
    while (this.byte() & 128);
  }

  take(length) {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  name() {
    return Buffer.from(this.take(this.unsigned())).toString();
  }
}

export const sections = module => {
  const reader = new Reader(module);
  reader.take(8);
  const found = [];
  while (!reader.isAtEnd) {
    const id = reader.byte();
    found.push({ id, body: reader.take(reader.unsigned()) });
  }
  return found;
};

export const build = parts =>
  Buffer.concat([
    Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    ...parts.flatMap(({ id, body }) => [Buffer.from([id, ...unsigned(body.length)]), Buffer.from(body)]),
  ]);

/** Exports by name: kind and index. */
export const exportsOf = parts => {
  const found = new Map();
  const section = parts.find(part => part.id === 7);
  if (!section) return found;
  const reader = new Reader(section.body);
  for (let count = reader.unsigned(); count > 0; count--) found.set(reader.name(), { kind: reader.byte(), index: reader.unsigned() });
  return found;
};

/** Removes the start function, the custom sections and the data, which the initial memory already contains. Segments keep their numbers. */
export const withoutState = parts =>
  parts
    .filter(({ id }) => id !== 8 && id !== 0)
    .map(part => {
      if (part.id !== 11) return part;
      const count = new Reader(part.body).unsigned();
      return { id: 11, body: Buffer.from([...unsigned(count), ...Array(count).fill([1, 0]).flat()]) };
    });
