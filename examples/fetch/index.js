// Calls another service, within a time limit. Only the hosts in function.json are allowed; requests to others fail.
const limit = 3_000;

export async function handler(event) {
  const repository = event.query.repository ?? "postgres/postgres";
  const url = env("UPSTREAM") ?? `https://api.github.com/repos/${repository}`;
  try {
    const response = await http.fetch(url, {
      headers: { accept: "application/json", "user-agent": "functions-pgsidecar-example" },
      signal: AbortSignal.timeout(limit),
    });
    if (!response.ok) return { statusCode: 502, body: { error: `The service answered ${response.status}.` } };
    const { full_name, stargazers_count } = await response.json();
    return { full_name, stargazers_count };
  } catch (error) {
    const statusCode = error.name === "TimeoutError" ? 504 : 502;
    return { statusCode, body: { error: error.message } };
  }
}
