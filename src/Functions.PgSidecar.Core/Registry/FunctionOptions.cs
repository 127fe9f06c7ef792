using System.Text.Json;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// What a function may use and who may call it: the <c>options</c> of <c>functions.deploy</c>.
/// The database has validated them; what is absent has the default stated here.
/// </summary>
internal sealed record FunctionOptions
{
    /// <summary>Wall-clock limit, <c>timeout_ms</c>, 1,000 to 300,000. Default 10,000.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Memory limit in bytes, <c>memory_mb</c>, 16 to 512. Default 128 MB.</summary>
    public long MemoryBytes { get; init; } = 128L << 20;

    /// <summary>CPU limit, <c>cpu_ms</c>. Default: none but the timeout.</summary>
    public TimeSpan? CpuTime { get; init; }

    /// <summary>Invocations that run at the same time in one sidecar, <c>concurrency</c>. Default 100.</summary>
    public int Concurrency { get; init; } = 100;

    /// <summary>Invocations that wait for one of those, <c>queue_limit</c>; more are refused with 503. Default 1,000.</summary>
    public int QueueLimit { get; init; } = 1_000;

    /// <summary>Invocations a second in one sidecar, <c>rate_limit</c>; more are refused with 429. Default: none.</summary>
    public int? RateLimit { get; init; }

    /// <summary>The role the function runs as whoever calls it, <c>role</c>. Default: the caller's.</summary>
    public string? Role { get; init; }

    /// <summary>Whether a caller needs a token, <c>verify_jwt</c>. Default true; false lets callers in without one, as <c>anon</c>.</summary>
    public bool VerifyJwt { get; init; } = true;

    /// <summary>Reads the options from the JSON that the registry keeps.</summary>
    public static FunctionOptions Parse(ReadOnlySpan<byte> json)
    {
        var options = new FunctionOptions();
        var reader = new Utf8JsonReader(json);
        using var document = JsonDocument.ParseValue(ref reader);
        foreach (var member in document.RootElement.EnumerateObject())
        {
            if (member.Value.ValueKind == JsonValueKind.Null)
                continue;
            options = member.Name switch
            {
                "timeout_ms" => options with { Timeout = TimeSpan.FromMilliseconds(member.Value.GetInt32()) },
                "memory_mb" => options with { MemoryBytes = (long)member.Value.GetInt32() << 20 },
                "cpu_ms" => options with { CpuTime = TimeSpan.FromMilliseconds(member.Value.GetInt32()) },
                "concurrency" => options with { Concurrency = member.Value.GetInt32() },
                "queue_limit" => options with { QueueLimit = member.Value.GetInt32() },
                "rate_limit" => options with { RateLimit = member.Value.GetInt32() },
                "role" => options with { Role = member.Value.GetString() },
                "verify_jwt" => options with { VerifyJwt = member.Value.GetBoolean() },
                _ => options,
            };
        }
        return options;
    }
}
