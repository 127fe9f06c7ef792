// What it costs to call a function for a change, and nothing else.
export async function handler() {}
