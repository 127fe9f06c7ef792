using System.Collections.Frozen;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// The options of a deployed version. <c>functions.deploy</c> has checked names and ranges; an option that was not set is null here or has
/// its default.
/// </summary>
public sealed record FunctionOptions
{
    /// <summary>Wall-clock limit of an invocation, 1 s to 300 s; 10 s by default.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Memory limit in MiB, 16 to 512; 128 by default.</summary>
    public int MemoryMb { get; init; } = 128;

    /// <summary>CPU time limit of an invocation; null means that only <see cref="Timeout"/> limits it.</summary>
    public TimeSpan? Cpu { get; init; }

    /// <summary>The most WebAssembly instructions of an invocation of a module; null means no limit.</summary>
    public long? Fuel { get; init; }

    /// <summary>
    /// The most invocations that run at once in a sidecar; null means the default (<c>FunctionAdmission.DefaultConcurrency</c>).
    /// </summary>
    public int? Concurrency { get; init; }

    /// <summary>
    /// The most invocations that wait for admission; null means the default (<c>FunctionAdmission.DefaultQueueLimit</c>).
    /// </summary>
    public int? QueueLimit { get; init; }

    /// <summary>The most invocations per second; null means no limit.</summary>
    public int? RateLimit { get; init; }

    /// <summary>The role that its statements run as, whoever calls it; null means the caller's.</summary>
    public string? Role { get; init; }

    /// <summary>Whether callers need a valid token; true by default.</summary>
    public bool VerifyJwt { get; init; } = true;

    /// <summary>Attempts after the first, for durable events; null means the trigger's, otherwise the default.</summary>
    public int? Retries { get; init; }

    /// <summary>The export to call; null means <c>handler</c>, or the default export of a Workers module.</summary>
    public string? Handler { get; init; }

    /// <summary>The version's own host patterns (<c>allow_hosts</c>).</summary>
    public IReadOnlyList<string> AllowHosts { get; init; } = [];

    /// <summary>The version's own variables (<c>env</c>).</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>
    /// Further bindings of <c>env</c> by their names there: the kind, such as <c>queue</c>, and the name of what it leads to.
    /// </summary>
    public IReadOnlyDictionary<string, (string Kind, string Name)> Bindings { get; init; } =
        FrozenDictionary<string, (string, string)>.Empty;

    internal static FunctionOptions Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        var options = document.RootElement;
        var defaults = new FunctionOptions();
        return new FunctionOptions
        {
            Timeout = Number(options, "timeout_ms") is { } timeout ? TimeSpan.FromMilliseconds(timeout) : defaults.Timeout,
            MemoryMb = Number(options, "memory_mb") ?? defaults.MemoryMb,
            Cpu = Number(options, "cpu_ms") is { } cpu ? TimeSpan.FromMilliseconds(cpu) : null,
            Fuel = options.TryGetProperty("fuel", out var fuel) ? fuel.GetInt64() : null,
            Concurrency = Number(options, "concurrency"),
            QueueLimit = Number(options, "queue_limit"),
            RateLimit = Number(options, "rate_limit"),
            Role = Text(options, "role"),
            VerifyJwt = options.TryGetProperty("verify_jwt", out var verify) ? verify.GetBoolean() : defaults.VerifyJwt,
            Retries = Number(options, "retries"),
            Handler = Text(options, "handler"),
            AllowHosts = options.TryGetProperty("allow_hosts", out var hosts)
                ? [.. hosts.EnumerateArray().Select(host => host.GetString()!)]
                : [],
            Environment = options.TryGetProperty("env", out var env)
                ? env.EnumerateObject().ToFrozenDictionary(pair => pair.Name, pair => pair.Value.GetString()!)
                : FrozenDictionary<string, string>.Empty,
            Bindings = options.TryGetProperty("bindings", out var bindings)
                ? bindings.EnumerateObject().ToFrozenDictionary(pair => pair.Name, pair => ParseBinding(pair.Value))
                : FrozenDictionary<string, (string, string)>.Empty,
        };
    }

    private static (string Kind, string Name) ParseBinding(JsonElement binding)
    {
        var only = binding.EnumerateObject().First();
        return (only.Name, only.Value.GetString()!);
    }

    private static int? Number(JsonElement options, string key) => options.TryGetProperty(key, out var value) ? value.GetInt32() : null;

    private static string? Text(JsonElement options, string key) => options.TryGetProperty(key, out var value) ? value.GetString() : null;
}
