using System.Collections.Frozen;
using System.Text.Json;

namespace Functions.PgSidecar.Postgres.Registry;

/// <summary>The options a version was deployed with. <c>functions.deploy</c> checked names and ranges; what was not given is null here or has its default.</summary>
public sealed record FunctionOptions
{
    /// <summary>Wall-clock limit of an invocation, 1 s to 300 s; 10 s by default.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Memory limit in MiB, 16 to 512; 128 by default.</summary>
    public int MemoryMb { get; init; } = 128;

    /// <summary>CPU time limit of an invocation; null: as long as <see cref="Timeout"/> lets it.</summary>
    public TimeSpan? Cpu { get; init; }

    /// <summary>WebAssembly instructions of an invocation of a module; null: they are not counted.</summary>
    public long? Fuel { get; init; }

    /// <summary>Invocations that may run at once; null: the sidecar's own limit.</summary>
    public int? Concurrency { get; init; }

    /// <summary>Invocations that may wait for a place; null: the sidecar's default.</summary>
    public int? QueueLimit { get; init; }

    /// <summary>Invocations a second; null: unlimited.</summary>
    public int? RateLimit { get; init; }

    /// <summary>The role its statements run as, whoever calls; null: the caller's.</summary>
    public string? Role { get; init; }

    /// <summary>Whether callers need a valid token; true by default.</summary>
    public bool VerifyJwt { get; init; } = true;

    /// <summary>Attempts after the first one for durable sources; null: the source's default.</summary>
    public int? Retries { get; init; }

    /// <summary>The export to call; null: <c>handler</c>, or the default export of a Workers module.</summary>
    public string? Handler { get; init; }

    /// <summary>Host patterns of the version's own (<c>allow_hosts</c>).</summary>
    public IReadOnlyList<string> AllowHosts { get; init; } = [];

    /// <summary>Variables of the version's own (<c>env</c>).</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = FrozenDictionary<string, string>.Empty;

    internal static FunctionOptions Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        var options = document.RootElement;
        return new FunctionOptions
        {
            Timeout = TimeSpan.FromMilliseconds(Number(options, "timeout_ms") ?? 10_000),
            MemoryMb = Number(options, "memory_mb") ?? 128,
            Cpu = Number(options, "cpu_ms") is { } cpu ? TimeSpan.FromMilliseconds(cpu) : null,
            Fuel = options.TryGetProperty("fuel", out var fuel) ? fuel.GetInt64() : null,
            Concurrency = Number(options, "concurrency"),
            QueueLimit = Number(options, "queue_limit"),
            RateLimit = Number(options, "rate_limit"),
            Role = Text(options, "role"),
            VerifyJwt = !options.TryGetProperty("verify_jwt", out var verify) || verify.GetBoolean(),
            Retries = Number(options, "retries"),
            Handler = Text(options, "handler"),
            AllowHosts = options.TryGetProperty("allow_hosts", out var hosts) ? [.. hosts.EnumerateArray().Select(host => host.GetString()!)] : [],
            Environment = options.TryGetProperty("env", out var env)
                ? env.EnumerateObject().ToFrozenDictionary(pair => pair.Name, pair => pair.Value.GetString()!)
                : FrozenDictionary<string, string>.Empty,
        };
    }

    private static int? Number(JsonElement options, string key) => options.TryGetProperty(key, out var value) ? value.GetInt32() : null;

    private static string? Text(JsonElement options, string key) => options.TryGetProperty(key, out var value) ? value.GetString() : null;
}
