using System.Text.Json;
using Functions.PgSidecar.Core.Ai.Limits;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Ai.Definitions;

/// <summary>Reads the definitions, and opens the credentials in them.</summary>
internal sealed class AiDefinitionStore(NpgsqlDataSource dataSource, SecretBox secrets)
{
    /// <summary>Reads everything.</summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE: the database does not answer.</exception>
    public async Task<AiDefinitions> LoadAsync(CancellationToken cancellationToken)
    {
        try
        {
            var providers = await dataSource
                .QueryAsync<ProviderRow>(
                    """
                    select name, kind, base_url, api_key, headers, timeout_ms, first_chunk_ms, retries, models, log_contents, updated_at, held
                    from functions_private.ai_providers
                    """,
                    null,
                    cancellationToken
                )
                .ConfigureAwait(false);
            var routes = await dataSource
                .QueryAsync<RouteRow>(
                    "select pattern, targets::text as targets, roles from functions_private.ai_routes",
                    null,
                    cancellationToken
                )
                .ConfigureAwait(false);
            var prices = await dataSource
                .QueryAsync<PriceRow>("select model, input, output, cached_input from functions_private.ai_prices", null, cancellationToken)
                .ConfigureAwait(false);
            var limits = await dataSource
                .QueryAsync<LimitRow>(
                    "select function, role, cost is not null as is_of_cost from functions_private.ai_limits",
                    null,
                    cancellationToken
                )
                .ConfigureAwait(false);
            return new AiDefinitions(
                providers.Select(Provider),
                routes.Select(Route),
                prices.ToDictionary(
                    static row => row.Model,
                    static row => new AiPrice(row.Input, row.Output, row.CachedInput),
                    StringComparer.Ordinal
                ),
                [.. limits.Select(static row => new AiLimit(row.Function, row.Role, row.IsOfCost))]
            );
        }
        catch (NpgsqlException e)
        {
            throw new SidecarException(
                SqlErrorCodes.Unavailable,
                503,
                "The providers of models can't be read: the database does not answer.",
                e
            );
        }
    }

    private AiProvider Provider(ProviderRow row)
    {
        var provider = new AiProvider
        {
            Name = row.Name,
            Kind = row.Kind == "anthropic" ? AiProviderKind.Anthropic : AiProviderKind.OpenAi,
            BaseUrl = new Uri(row.BaseUrl),
            Timeout = TimeSpan.FromMilliseconds(row.TimeoutMs),
            FirstChunkTimeout = TimeSpan.FromMilliseconds(row.FirstChunkMs),
            Retries = row.Retries,
            Models = row.Models,
            LogsContents = row.LogContents,
            UpdatedAt = row.UpdatedAt,
        };
        if (row.Held)
            return provider with { Failure = AiErrors.Held(row.Name) };
        try
        {
            // Sealed for this provider: the name of a function can't contain a slash, so it is valid nowhere else.
            var place = "ai/" + row.Name;
            var headers = row.Headers is null
                ? provider.Headers
                : JsonSerializer.Deserialize<Dictionary<string, string>>(secrets.Open(place, "headers", row.Headers))!;
            return provider with { ApiKey = row.ApiKey is null ? null : secrets.Open(place, "api_key", row.ApiKey), Headers = headers };
        }
        catch (SidecarException e)
        {
            // The other providers are usable.
            var failure = AiErrors.ProviderFailed(
                row.Name,
                "its credentials were sealed for another database; set them again with functions.set_ai_provider.",
                e
            );
            return provider with { Failure = failure };
        }
    }

    private static AiRoute Route(RouteRow row)
    {
        using var targets = JsonDocument.Parse(row.Targets);
        return new AiRoute(
            row.Pattern,
            [
                .. targets
                    .RootElement.EnumerateArray()
                    .Select(target => new AiRouteTarget(
                        target.GetProperty("provider"u8).GetString()!,
                        target.TryGetProperty("model"u8, out var model) ? model.GetString() : null
                    )),
            ],
            row.Roles
        );
    }

    private sealed class ProviderRow
    {
        public string Name { get; init; } = "";
        public string Kind { get; init; } = "";
        public string BaseUrl { get; init; } = "";
        public byte[]? ApiKey { get; init; }
        public byte[]? Headers { get; init; }
        public int TimeoutMs { get; init; }
        public int FirstChunkMs { get; init; }
        public int Retries { get; init; }
        public string[]? Models { get; init; }
        public bool LogContents { get; init; }
        public DateTime UpdatedAt { get; init; }
        public bool Held { get; init; }
    }

    private sealed class RouteRow
    {
        public string Pattern { get; init; } = "";
        public string Targets { get; init; } = "";
        public string[]? Roles { get; init; }
    }

    private sealed record PriceRow(string Model, decimal Input, decimal Output, decimal CachedInput);

    private sealed record LimitRow(string Function, string Role, bool IsOfCost);
}
