using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Vectors;

/// <summary>
/// A sidecar and a database with pgvector, in a schema that no search_path has. Without pgvector in the test server the tests are skipped.
/// </summary>
public sealed class VectorFixture : IAsyncLifetime
{
    /// <summary>The sidecar and its database.</summary>
    public SidecarFixture Sidecar { get; } = new();

    private string? whyNot;

    public async ValueTask InitializeAsync()
    {
        await Sidecar.InitializeAsync();
        if (!await Sidecar.Database.ScalarAsync<bool>("select exists (select from pg_available_extensions where name = 'vector')"))
            whyNot = "The test server has no pgvector (scripts/pgvector.sh).";
        else
            await Sidecar.Database.ExecuteAsync(
                "create schema ext; create extension vector schema ext; grant usage on schema ext to anon, authenticated, service_role"
            );
    }

    public ValueTask DisposeAsync() => Sidecar.DisposeAsync();

    /// <summary>Skips a test without pgvector. Call it first in each.</summary>
    public void Require() => Assert.SkipWhen(whyNot is not null, whyNot ?? "");

    /// <summary>Creates or changes an index.</summary>
    internal Task CreateAsync(string index, int dimensions, string options) =>
        Sidecar.Database.ExecuteAsync($"select functions.create_vector_index('{index}', {dimensions}, '{options}')");

    /// <summary>Runs a body with <c>V</c> as the index, and returns its result.</summary>
    internal async Task<JsonNode> RunAsync(string index, string body, string role = "authenticated", string? subject = null) =>
        (
            await Sidecar.CallAsync(
                await Sidecar.DeployAsync(
                    $"export async function handler() {{ const V = env.VECTORIZE.index('{index}'); {body} }}",
                    """{"timeout_ms": 60000}"""
                ),
                "{}",
                role,
                subject
            )
        )!;

    /// <summary>The code of the error that an expression rejects with; null if it does not.</summary>
    internal async Task<string?> CodeAsync(string index, string expression, string role = "authenticated", string? subject = null) =>
        (string?)
            (
                await RunAsync(
                    index,
                    $"return [await (async () => {expression})().then(() => null, (e) => e.code ?? e.name)]",
                    role,
                    subject
                )
            )[0];
}
