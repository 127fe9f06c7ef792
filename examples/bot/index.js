// A bot for a chat: each message arrives by a signed webhook, {"channel", "text"}. The bot knows what was said before in the channel, may look
// up orders, and puts its reply into the queue "bot-replies", from which the chat's sender takes it.
// A delivery that is repeated is the same event and runs once; a failure of the model is retried as any event is.
const remembered = 20; // messages
const steps = 5; // calls of the model for one message

const instructions = "You are the assistant of a shop. Answer in one or two sentences. Look orders up instead of guessing.";
const tools = [{
  name: "order_status",
  description: "The status of an order, by its number.",
  parameters: { type: "object", properties: { number: { type: "integer" } }, required: ["number"] },
}];

// What the model asks for is the user's text in the end: it may only read, and only this.
async function useTool({ name, arguments: given }) {
  if (name !== "order_status" || !Number.isInteger(given?.number)) return { error: "There is no such tool." };
  const rows = await db.query("SELECT status FROM examples.bot_orders WHERE number = $1", [given.number]);
  return rows[0] ?? { error: "There is no such order." };
}

async function answer(messages) {
  for (let step = 0; step < steps; step++) {
    const { response, tool_calls } = await env.AI.run(env("CHAT_MODEL"), { messages, tools, max_tokens: 300 });
    if (!tool_calls?.length) return response;
    messages.push({ role: "assistant", content: response ?? "", tool_calls });
    for (const call of tool_calls)
      messages.push({ role: "tool", tool_call_id: call.id, content: JSON.stringify(await useTool(call)) });
  }
  return "I could not find that out.";
}

const say = (channel, event, role, content) =>
  db.query(
    "INSERT INTO examples.bot_messages (channel, event, role, content) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    [channel, event, role, content],
  );

export async function handler(event) {
  const { channel, text } = event.body ?? {};
  if (typeof channel !== "string" || typeof text !== "string") return { ignored: true };
  await say(channel, event.event_id, "user", text);
  const rows = await db.query(
    "SELECT role, content FROM examples.bot_messages WHERE channel = $1 ORDER BY id DESC LIMIT $2",
    [channel, remembered],
  );
  const reply = await answer([{ role: "system", content: instructions }, ...rows.reverse()]);
  await say(channel, event.event_id, "assistant", reply);
  // An event that is retried after a crash sends its reply again rather than not at all.
  await env.QUEUE.queue("bot-replies").send({ channel, text: reply });
  return { reply };
}
