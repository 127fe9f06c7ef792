-- functions_private.embedding_source() -> the source of the function that every embedding has
-- Rows are read again by their keys, so that a change that is delivered late, or once more, brings the index to the present state.
create or replace function functions_private.embedding_source() returns text
language sql immutable set search_path = pg_catalog, pg_temp as $sql$ select $js$
// Keeps a vector index in step with texts of a table. Made by functions.embed and changed by it only.
const encoder = new TextEncoder();

async function digest(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text)));
  return btoa(String.fromCharCode(...bytes.subarray(0, 15))).replaceAll('+', '-').replaceAll('/', '_');
}

// Where a chunk that begins at start ends: after a paragraph, else a sentence, else a word, in the last half of what fits.
function end(text, start, size) {
  if (text.length - start <= size) return text.length;
  const part = text.slice(start, start + size);
  for (const separator of [/\n\s*\n/g, /[.!?\u3002]["')\]]*\s/g, /\s/g]) {
    let last = 0;
    for (const match of part.matchAll(separator)) last = match.index + match[0].length;
    if (last > size / 2) return start + last;
  }
  // Not between the two halves of a character.
  const code = part.charCodeAt(size - 1);
  return start + size - (code >= 0xd800 && code < 0xdc00 ? 1 : 0);
}

function split(text, size, overlap) {
  const chunks = [];
  for (let start = 0; start < text.length; ) {
    const stop = end(text, start, size);
    const chunk = text.slice(start, stop).trim();
    if (chunk !== '') chunks.push(chunk);
    if (stop >= text.length) break;
    // At least a quarter is new, whatever the text: nobody who writes rows can multiply what is embedded.
    start = Math.max(stop - overlap, start + Math.floor(size / 4));
    // An overlap begins with a word.
    const word = text.slice(start, stop).search(/\s\S/);
    if (overlap > 0 && word >= 0) start += word + 1;
    const code = text.charCodeAt(start);
    if (code >= 0xdc00 && code < 0xe000) start++;
  }
  return chunks;
}

const textOf = (value) => (value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value));

// The rows of these keys as they are now, and the keys as the database writes them.
function readRows(definition, keys) {
  const lists = definition.keys.map((key, i) => `pg_catalog.unnest($${i + 1}::pg_catalog.text[])`);
  const names = definition.keys.map((key, i) => `k${i}`);
  const columns = [
    ...definition.texts.map((column, i) => `t.${column} as t${i}`),
    ...definition.metadata.map(({ sql }, i) => `t.${sql} as m${i}`),
    `${definition.namespace ? `t.${definition.namespace}::pg_catalog.text` : 'null'} as namespace`,
    `${definition.owner ? `t.${definition.owner}::pg_catalog.text` : 'null'} as owner`,
  ];
  const values = definition.keys.map(({ type }, i) => `r.k${i}::${type}`);
  const conditions = definition.keys.map(({ sql }, i) => `t.${sql} operator(pg_catalog.=) ${values[i]}`);
  return db.query(
    `select array[${values.map((value) => `${value}::pg_catalog.text`)}] as key, t.${definition.keys[0].sql} is not null as exists,
       ${columns}
     from rows from (${lists}) r (${names}) left join ${definition.table} t on ${conditions.join(' and ')}`,
    definition.keys.map((key, i) => keys.map((one) => one[i])),
  );
}

function readVectors(definition, name, keys) {
  return db.query(
    `select v.id, v.namespace, v.owner, v.metadata from pg_catalog.unnest($1::pg_catalog.text[]) k (wanted)
     cross join lateral (select s.id, s.namespace, s.owner, s.metadata from ${definition.vectors} s
       where s.metadata operator(pg_catalog.@>) k.wanted::pg_catalog.jsonb offset 0) v`,
    [keys.map((key) => JSON.stringify({ source: name, key }))],
  );
}

// After a TRUNCATE: vectors of rows that are gone. Rows that were inserted since keep theirs.
function sweep(definition, name) {
  const key = definition.keys.map(({ sql }) => `t.${sql}::pg_catalog.text`);
  return db.query(
    `delete from ${definition.vectors} v where v.metadata operator(pg_catalog.@>) $1::pg_catalog.jsonb and not exists (
       select from ${definition.table} t
       where pg_catalog.jsonb_build_array(${key}) operator(pg_catalog.=) (v.metadata operator(pg_catalog.->) 'key'))`,
    [JSON.stringify({ source: name })],
  );
}

async function wantedVectors(definition, name, row) {
  if (!row.exists) return [];
  const text = definition.texts.map((column, i) => textOf(row[`t${i}`])).filter((part) => part !== '').join('\n\n');
  const shared = Object.fromEntries(definition.metadata.map((column, i) => [column.name, row[`m${i}`]]));
  const readable = `${name}:${row.key.join(',')}`;
  const id = /^[\x21-\x7e]{1,56}$/.test(readable) ? readable : `${name.slice(0, 20)}:${await digest(readable)}`;
  return Promise.all(split(text, definition.size, definition.overlap).map(async (chunk, i) => ({
    id: `${id}#${i}`, namespace: row.namespace ?? '', owner: row.owner ?? '', document: chunk,
    metadata: { ...shared, source: name, key: row.key, chunk: i, hash: await digest(`${definition.model}\n${chunk}`) },
  })));
}

// Objects that jsonb stores alike are equal here.
function canonical(value) {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)}}`;
}

export async function handler(event) {
  // Whoever may call functions over HTTP must not choose what is embedded.
  if (event.trigger !== 'database') return { statusCode: 404, body: { error: 'NOT_FOUND',
      message: 'This function runs for its trigger only.' } };
  const name = env('EMBEDDING');
  const [{ definition }] = await db.query('select functions.embedding($1) as definition', [name]);
  if (definition === null) return; // was dropped meanwhile
  const events = event.batch ? event.events : [event];
  if (events.some(({ operation }) => operation === 'TRUNCATE')) await sweep(definition, name);

  const keys = new Map();
  for (const row of events.flatMap((one) => [one.old, one.new])) {
    if (!row) continue;
    const key = definition.keys.map((column) => textOf(row[column.name]));
    keys.set(JSON.stringify(key), key);
  }
  if (keys.size === 0) return;
  const rows = await readRows(definition, [...keys.values()]);
  const stored = new Map((await readVectors(definition, name, rows.map(({ key }) => key))).map((vector) => [vector.id, vector]));

  const embedded = [];
  const changed = [];
  for (const row of rows) {
    for (const vector of await wantedVectors(definition, name, row)) {
      const former = stored.get(vector.id);
      stored.delete(vector.id);
      if (former?.metadata.hash !== vector.metadata.hash || former.owner !== vector.owner) {
        if (former && former.owner !== vector.owner) changed.push({ ...vector, moved: former.owner });
        if (former?.metadata.hash !== vector.metadata.hash) embedded.push(vector);
      } else if (former.namespace !== vector.namespace || canonical(former.metadata) !== canonical(vector.metadata)) changed.push(vector);
    }
  }

  const index = env.VECTORIZE.index(definition.index);
  const surplus = [...stored.keys()];
  for (let i = 0; i < surplus.length; i += 1000) await index.deleteByIds(surplus.slice(i, i + 1000));
  // The text is the same; it is not embedded again.
  for (const { id, owner, moved, namespace, metadata, document } of changed) {
    await db.query(`update ${definition.vectors} set owner = $2, namespace = $3, metadata = $4::pg_catalog.jsonb
      where id operator(pg_catalog.=) $1 and owner operator(pg_catalog.=) $5`,
      [id, owner, namespace, JSON.stringify(metadata), moved ?? owner]);
  }
  for (let i = 0; i < embedded.length; i += 64) {
    const batch = embedded.slice(i, i + 64);
    const { data } = await env.AI.run(definition.model, { text: batch.map(({ document }) => document) });
    if (data.length !== batch.length) throw new Error(`The model gave ${data.length} vectors for ${batch.length} texts.`);
    await index.upsert(batch.map((vector, n) => ({ ...vector, values: data[n] })));
  }
}
$js$ $sql$;
comment on function functions_private.embedding_source() is 'The source of the function that every embedding has.';
revoke all on function functions_private.embedding_source() from public;
