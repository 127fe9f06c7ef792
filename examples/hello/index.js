// The smallest function: answers with what it was sent.
export async function handler(event) {
  const { body } = event;
  log.info("hello was called by", event.user_id ?? "nobody we know");
  return {
    statusCode: 200,
    body: JSON.stringify({ result: "success", hello: body?.name ?? "world" }),
  };
}
