// The smallest function: answers with its input.
export async function handler(event) {
  const { body } = event;
  log.info("hello was called by", event.user_id ?? "an unknown caller");
  return {
    statusCode: 200,
    body: JSON.stringify({ result: "success", hello: body?.name ?? "world" }),
  };
}
