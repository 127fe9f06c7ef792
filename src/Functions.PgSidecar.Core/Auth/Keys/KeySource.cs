using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Auth.Keys;

/// <summary>Reads a published key set. Ends by itself; no one cancels it.</summary>
internal delegate Task<IReadOnlyList<VerificationKey>> KeySetLoader(CancellationToken cancellationToken);

/// <summary>
/// The current keys: fixed ones (the shared secret), and published ones, which rotate. Published keys are loaded when first needed, again
/// when a token names an unknown key, and every <see cref="RefreshInterval"/>. While the publisher is unavailable, the previous keys stay
/// in use.
/// </summary>
internal sealed class KeySource
{
    /// <summary>The age at which published keys are loaded again: the longest time that a withdrawn key is still accepted.</summary>
    public static readonly TimeSpan RefreshInterval = TimeSpan.FromMinutes(10);

    /// <summary>The least time between two attempts, so that forged kids don't make the sidecar flood the issuer with requests.</summary>
    public static readonly TimeSpan RefreshFloor = TimeSpan.FromSeconds(10);

    private readonly IReadOnlyList<VerificationKey> given;
    private readonly KeySetLoader? load;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Lock gate = new();
    private volatile KeySet current;
    private Task<KeySet>? refresh;
    private long lastAttempt;
    private bool attempted;
    private volatile bool loaded;

    public KeySource(IReadOnlyList<VerificationKey> fixedKeys, KeySetLoader? load, TimeProvider time, ILogger logger)
    {
        given = fixedKeys;
        this.load = load;
        this.time = time;
        this.logger = logger;
        current = new KeySet(fixedKeys);
    }

    /// <summary>Whether any key, or a source of keys, is configured.</summary>
    public bool IsConfigured => load is not null || given.Count > 0;

    /// <summary>False while published keys are expected but have never been loaded.</summary>
    public bool IsLoaded => load is null || loaded;

    /// <summary>The current keys. Starts a refresh in the background when they are too old; never waits.</summary>
    public KeySet Current
    {
        get
        {
            if (loaded && time.GetElapsedTime(Volatile.Read(ref lastAttempt)) >= RefreshInterval)
                _ = RefreshAsync();
            return current;
        }
    }

    /// <summary>Loads the published keys, unless the last attempt is too recent. Concurrent callers share one load.</summary>
    public Task<KeySet> RefreshAsync()
    {
        lock (gate)
        {
            if (refresh is { IsCompleted: false })
                return refresh;
            if (load is null || (attempted && time.GetElapsedTime(lastAttempt) < RefreshFloor))
                return Task.FromResult(current);
            attempted = true;
            Volatile.Write(ref lastAttempt, time.GetTimestamp());
            return refresh = Task.Run(LoadAsync);
        }
    }

    private async Task<KeySet> LoadAsync()
    {
        try
        {
            // Not tied to a caller, because the first caller may leave while others wait. The loader has its own timeout.
            var published = await load!(CancellationToken.None);
            current = new KeySet([.. given, .. published]);
            loaded = true;
            AuthLog.KeysLoaded(logger, published.Count);
        }
        catch (Exception e)
            when (e is HttpRequestException or IOException or UnauthorizedAccessException or FormatException or OperationCanceledException)
        {
            AuthLog.KeysNotLoaded(logger, e.Message, loaded ? "the previous keys stay in use" : "requests whose tokens need it get 503");
        }

        return current;
    }
}
