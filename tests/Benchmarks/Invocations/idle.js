// Waits for longer than the benchmark takes.
export async function handler(event) {
  if (event.body.wait) await new Promise(resolve => setTimeout(resolve, 280_000));
  return { waited: event.body.wait };
}
