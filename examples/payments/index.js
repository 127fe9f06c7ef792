// Fired by a webhook: stores each payment that a service reports. ON CONFLICT makes a second run of an event harmless.
export async function handler(event) {
  const { body } = event;
  if (body?.event !== "payment.succeeded") return { ignored: body?.event ?? null };
  const { rowCount } = await db.query(
    "INSERT INTO examples.payments (event, delivery, amount) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    [event.event_id, event.id, body.amount],
  );
  log.info(`payment of ${body.amount} from ${event.webhook}, attempt ${event.attempt}`);
  return { stored: rowCount > 0 };
}
