// A request puts a mail into the queue "emails"; the same function gets the mails in batches (trigger.sql). It sends none, but keeps them in
// a table, and fails for addresses without an @: after three retries such a mail is in the queue "emails-dead", with the error.
export default {
  async fetch(request, env) {
    const mail = await request.json();
    await env.QUEUE.queue("emails").send(mail, { delaySeconds: mail.delay ?? 0 });
    return Response.json({ queued: true }, { status: 202 });
  },

  async queue(batch, env) {
    for (const message of batch.messages) {
      try {
        if (!String(message.body.to).includes("@")) throw new Error(`${message.body.to} is no address`);
        await env.DB.prepare("insert into examples.mails (id, recipient, attempts) values (?::text::bigint, ?, ?) on conflict do nothing")
          .bind(message.id, message.body.to, message.attempts).run();
        message.ack();
      } catch (error) {
        console.error(`mail ${message.id}: ${error.message}`);
      }
    }
    // What was not acknowledged is retried.
    if (batch.messages.length > 0) batch.retryAll();
  },
};
