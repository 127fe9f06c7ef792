// With a call to a model when asked for one: the difference is what the call costs a function.
export async function handler(event) {
  const { mode } = event.body;
  if (mode === "none") return { answer: "Good day." };
  const inputs = { messages: [{ role: "user", content: "Hello?" }] };
  if (mode === "run") return { answer: (await ai.run("m", inputs)).response };
  const reader = (await ai.run("m", { ...inputs, stream: true })).getReader();
  const { value } = await reader.read();
  return { answer: new TextDecoder().decode(value) };
}
