// Reads a user by id. Row-level security decides which rows the caller may see, so a query for another user's id returns
// no row.
export async function handler(event) {
  const user_id = event.body?.user_id ?? event.user_id;
  const users = await db.query("SELECT id, email, display_name, created_at FROM examples.users WHERE id = $1", [user_id]);
  if (users.rowCount === 0) {
    return { statusCode: 404, body: { error: "No such user, or not yours to see." } };
  }
  return { statusCode: 200, body: JSON.stringify(users[0]) };
}
