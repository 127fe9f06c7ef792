// Notes: create, read, update, delete. No statement mentions an owner: the column's default sets it and the policies check it.
const columns = "id, title, body, created_at, updated_at";
const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const answer = (statusCode, body) => ({ statusCode, body });
const missing = answer(404, { error: "No such note." });

async function list() {
  return answer(200, await db.query(`SELECT ${columns} FROM examples.notes ORDER BY created_at DESC LIMIT 100`));
}

async function create({ title, body }) {
  const [note] = await db.query(`INSERT INTO examples.notes (title, body) VALUES ($1, $2) RETURNING ${columns}`, [title, body ?? ""]);
  return answer(201, note);
}

async function read(id) {
  const [note] = await db.query(`SELECT ${columns} FROM examples.notes WHERE id = $1`, [id]);
  return note ? answer(200, note) : missing;
}

async function update(id, { title, body }) {
  const [note] = await db.query(
    `UPDATE examples.notes SET title = coalesce($2, title), body = coalesce($3, body), updated_at = now() WHERE id = $1 RETURNING ${columns}`,
    [id, title, body],
  );
  return note ? answer(200, note) : missing;
}

async function remove(id) {
  const { rowCount } = await db.query("DELETE FROM examples.notes WHERE id = $1", [id]);
  return rowCount === 0 ? missing : answer(204);
}

export async function handler(event) {
  const id = event.path.split("/").filter(Boolean).at(-1);
  const input = typeof event.body === "object" && event.body !== null ? event.body : {};
  try {
    if (!isId.test(id)) {
      if (event.method === "GET") return await list();
      if (event.method === "POST") return await create(input);
    } else {
      if (event.method === "GET") return await read(id);
      if (event.method === "PATCH") return await update(id, input);
      if (event.method === "DELETE") return await remove(id);
    }
    return answer(405, { error: `A note can't be ${event.method}.` });
  } catch (error) {
    // 23502: a title is missing; 23514: it is too long.
    if (error.code === "23502" || error.code === "23514") return answer(400, { error: error.message });
    throw error;
  }
}
