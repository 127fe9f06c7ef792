using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Auth.Keys;

/// <summary>Reads a key set from wherever it is published. Ends by itself: nobody cancels it.</summary>
internal delegate Task<IReadOnlyList<VerificationKey>> KeySetLoader(CancellationToken cancellationToken);

/// <summary>
/// The keys of now: those that never change (the shared secret) and those that are published and rotate. Published keys are loaded when first
/// needed, again when a token names an unknown key, and every <see cref="RefreshInterval"/>; while the publisher is down, the last ones hold.
/// </summary>
internal sealed class KeySource
{
    /// <summary>How old published keys grow before they are loaded again: the longest that a withdrawn key still counts.</summary>
    public static readonly TimeSpan RefreshInterval = TimeSpan.FromMinutes(10);

    /// <summary>The least time between two attempts, so that forged kids don't make the sidecar hammer the issuer.</summary>
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

    /// <summary>Whether there is any key, or a place to get one from.</summary>
    public bool IsConfigured => load is not null || given.Count > 0;

    /// <summary>False while published keys are expected and have never arrived.</summary>
    public bool IsLoaded => load is null || loaded;

    /// <summary>The keys of now. Starts a refresh behind the caller's back when they have grown old; never waits.</summary>
    public KeySet Current
    {
        get
        {
            if (loaded && time.GetElapsedTime(Volatile.Read(ref lastAttempt)) >= RefreshInterval)
                _ = RefreshAsync();
            return current;
        }
    }

    /// <summary>Loads the published keys if the floor allows it, else answers at once with what there is. Callers at the same time share one load.</summary>
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
            // Not tied to a caller: the one who asked first may leave while others wait. The loader has a timeout of its own.
            var published = await load!(CancellationToken.None);
            current = new KeySet([.. given, .. published]);
            loaded = true;
            AuthLog.KeysLoaded(logger, published.Count);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException or FormatException or OperationCanceledException)
        {
            AuthLog.KeysNotLoaded(logger, e.Message, loaded ? "the last ones hold" : "tokens that need them are answered 503");
        }

        return current;
    }
}
