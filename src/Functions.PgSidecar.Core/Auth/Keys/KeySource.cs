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

    private readonly IReadOnlyList<VerificationKey> _fixed;
    private readonly KeySetLoader? _load;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private volatile KeySet _current;
    private Task<KeySet>? _refresh;
    private long _lastAttempt;
    private bool _attempted;
    private volatile bool _loaded;

    public KeySource(IReadOnlyList<VerificationKey> fixedKeys, KeySetLoader? load, TimeProvider time, ILogger logger)
    {
        _fixed = fixedKeys;
        _load = load;
        _time = time;
        _logger = logger;
        _current = new KeySet(fixedKeys);
    }

    /// <summary>Whether there is any key, or a place to get one from.</summary>
    public bool IsConfigured => _load is not null || _fixed.Count > 0;

    /// <summary>False while published keys are expected and have never arrived.</summary>
    public bool IsLoaded => _load is null || _loaded;

    /// <summary>The keys of now. Starts a refresh behind the caller's back when they have grown old; never waits.</summary>
    public KeySet Current
    {
        get
        {
            if (_loaded && _time.GetElapsedTime(Volatile.Read(ref _lastAttempt)) >= RefreshInterval)
                _ = RefreshAsync();
            return _current;
        }
    }

    /// <summary>Loads the published keys if the floor allows it, else answers at once with what there is. Callers at the same time share one load.</summary>
    public Task<KeySet> RefreshAsync()
    {
        lock (_lock)
        {
            if (_refresh is { IsCompleted: false })
                return _refresh;
            if (_load is null || (_attempted && _time.GetElapsedTime(_lastAttempt) < RefreshFloor))
                return Task.FromResult(_current);
            _attempted = true;
            Volatile.Write(ref _lastAttempt, _time.GetTimestamp());
            return _refresh = Task.Run(LoadAsync);
        }
    }

    private async Task<KeySet> LoadAsync()
    {
        try
        {
            // Not tied to a caller: the one who asked first may leave while others wait. The loader has a timeout of its own.
            var published = await _load!(CancellationToken.None);
            _current = new KeySet([.. _fixed, .. published]);
            _loaded = true;
            AuthLog.KeysLoaded(_logger, published.Count);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UnauthorizedAccessException or FormatException or OperationCanceledException)
        {
            AuthLog.KeysNotLoaded(_logger, e.Message, _loaded ? "the last ones hold" : "tokens that need them are answered 503");
        }

        return _current;
    }
}
