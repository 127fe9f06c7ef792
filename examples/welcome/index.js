// Fired by row changes: creates a profile for each new member. ON CONFLICT makes a second delivery harmless.
export async function handler(event) {
  const { id, email } = event.new;
  const { rowCount } = await db.query(
    "INSERT INTO examples.profiles (member, display_name, made_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    [id, email.split("@")[0], event.event_id],
  );
  log.info(`${event.operation} of ${email}: ${rowCount ? "profile made" : "has one"}, attempt ${event.attempt}`);
  return { profileCreated: rowCount > 0 };
}
