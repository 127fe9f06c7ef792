using System.Data.Common;
using System.Diagnostics;
using Functions.PgSidecar.Sandbox.Runs;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// Programs ready to run, by version id, because a name that is dropped and deployed again starts again at version 1. Loaded from the
/// registry at their first use; a program of another engine build is compiled again and stored. The least recently used programs are
/// removed when the cache is full.
/// </summary>
internal sealed class ProgramCache : IDisposable
{
    /// <summary>How often unused instances are freed.</summary>
    private static readonly TimeSpan TrimInterval = TimeSpan.FromSeconds(10);

    private readonly Compiler compiler;
    private readonly RegistryStore store;
    private readonly SidecarIdentity identity;
    private readonly ILogger<ProgramCache> logger;
    private readonly ITimer trimming;
    private readonly Lock gate = new();
    private readonly Dictionary<(string Function, Guid Version), Task<SharedProgram>> programs = [];
    private long questions;
    private long loads;
    private long loadTicks;

    /// <summary>The most snapshot memory held, in bytes; programs in use are held beyond it. Default: 1 GiB.</summary>
    public long MaxBytes { get; init; } = 1L << 30;

    /// <summary>Programs that were loaded from the registry, without those that had to be compiled again.</summary>
    public long Loads => Interlocked.Read(ref loads);

    /// <summary>The total time of these loads, from the database query until the programs could run.</summary>
    public TimeSpan LoadTime => new(Interlocked.Read(ref loadTicks));

    public ProgramCache(Compiler compiler, RegistryStore store, SidecarIdentity identity, TimeProvider time, ILogger<ProgramCache> logger)
    {
        this.compiler = compiler;
        this.store = store;
        this.identity = identity;
        this.logger = logger;
        trimming = time.CreateTimer(static cache => ((ProgramCache)cache!).TrimInstances(), this, TrimInterval, TrimInterval);
    }

    /// <summary>Leases a program, and loads it if necessary.</summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE: the registry can't be read; FUNCTION_NOT_FOUND: the version was dropped;
    /// PGFN2422: it does not compile; PGFN2424: sidecars ended while they loaded it;
    /// PGFN2425, PGFN2426: its code can't be read.</exception>
    public async ValueTask<ProgramLease> AcquireAsync(string function, Guid version, CancellationToken cancellationToken)
    {
        while (true)
        {
            var loading = Find((function, version));
            var shared = await loading.WaitAsync(cancellationToken).ConfigureAwait(false);
            if (shared.TryLease() is { } lease)
                return lease;
        }
    }

    /// <summary>Adds a program that was compiled by this sidecar.</summary>
    public void Add(string function, Guid version, IProgram program)
    {
        Task<SharedProgram>? old;
        lock (gate)
        {
            programs.Remove((function, version), out old);
            programs[(function, version)] = Task.FromResult(new SharedProgram(program) { LastUse = ++questions });
        }
        Release(old);
        Trim();
    }

    /// <summary>Removes every version of a function except one; those in use are freed when their last lease ends.</summary>
    public void Retain(string function, Guid? version)
    {
        List<Task<SharedProgram>> gone = [];
        lock (gate)
        {
            foreach (var key in programs.Keys.Where(key => key.Function == function && key.Version != version).ToList())
            {
                programs.Remove(key, out var program);
                gone.Add(program!);
            }
        }
        gone.ForEach(Release);
    }

    /// <inheritdoc/>
    public void Dispose() => trimming.Dispose();

    private void TrimInstances()
    {
        List<Task<SharedProgram>> loaded;
        lock (gate)
            loaded = [.. programs.Values.Where(program => program.IsCompletedSuccessfully)];
        loaded.ForEach(static program => program.Result.Program.Trim());
    }

    private Task<SharedProgram> Find((string Function, Guid Version) key)
    {
        Task<SharedProgram> loading;
        lock (gate)
        {
            if (programs.TryGetValue(key, out var known) && !known.IsFaulted && !known.IsCanceled)
            {
                if (known.IsCompletedSuccessfully)
                    known.Result.LastUse = ++questions;
                return known;
            }
            loading = Task.Run(() => LoadAsync(key.Function, key.Version));
            programs[key] = loading;
        }
        Trim();
        return loading;
    }

    private async Task<SharedProgram> LoadAsync(string function, Guid version)
    {
        var began = Stopwatch.GetTimestamp();
        var (found, lost) = await BeginAsync(version).ConfigureAwait(false);
        var artifact = found ?? throw Gone(function);
        if (lost >= RegistryStore.MaxAttempts)
        {
            throw new SidecarException(
                "PGFN2424",
                500,
                $"Version {artifact.Version} of function '{function}' is not loaded again: {lost} times a sidecar ended while it loaded it. "
                    + $"Deploy a corrected version, or select functions.retry_version('{function}', {artifact.Version});"
            );
        }
        var worked = false;
        try
        {
            var program = await LoadAsync(artifact, began).ConfigureAwait(false);
            worked = true;
            return program;
        }
        finally
        {
            _ = EndAsync(artifact, worked);
        }
    }

    private async Task<SharedProgram> LoadAsync(VersionArtifact artifact, long began)
    {
        if (TryRead(artifact) is { } stored)
        {
            Interlocked.Increment(ref loads);
            Interlocked.Add(ref loadTicks, Stopwatch.GetElapsedTime(began).Ticks);
            return new SharedProgram(stored);
        }
        RegistryLog.Recompiling(logger, artifact.Function, artifact.Version);
        artifact = await ReadAsync(artifact.Id).ConfigureAwait(false) ?? throw Gone(artifact.Function);
        var (program, outcome) = await compiler.CompileAsync(artifact).ConfigureAwait(false);
        if (program is null)
            throw new SidecarException(
                "PGFN2422",
                500,
                $"Version {artifact.Version} of function '{artifact.Function}' does not compile "
                    + $"with this engine: {outcome.Error?.Message}"
            );
        await StoreAsync(artifact, outcome).ConfigureAwait(false);
        return new SharedProgram(program);
    }

    private async Task EndAsync(VersionArtifact artifact, bool worked)
    {
        try
        {
            await store.EndLoadAsync(artifact.Id, identity.Id, worked, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is DbException or ObjectDisposedException)
        {
            RegistryLog.LoadNotEnded(logger, artifact.Function, artifact.Version, e.Message);
        }
    }

    /// <summary>Reads the stored program; <see langword="null"/> if there is none that this engine can use.</summary>
    private IProgram? TryRead(VersionArtifact artifact)
    {
        try
        {
            return compiler.Read(artifact);
        }
        catch (InvalidDataException e)
        {
            RegistryLog.Unusable(logger, artifact.Function, artifact.Version, e.Message);
            return null;
        }
    }

    /// <summary>Stores the artifact, so that the next process need not compile it; this process does not need it.</summary>
    private async Task StoreAsync(VersionArtifact artifact, CompilationOutcome outcome)
    {
        try
        {
            await store.CompleteVersionAsync(artifact.Id, outcome, CancellationToken.None).ConfigureAwait(false);
        }
        catch (DbException e)
        {
            RegistryLog.NotStored(logger, artifact.Function, artifact.Version, e.Message);
        }
    }

    private async Task<(VersionArtifact? Version, int LostAttempts)> BeginAsync(Guid version)
    {
        try
        {
            return await store.BeginLoadAsync(version, identity.Id, CancellationToken.None).ConfigureAwait(false);
        }
        catch (DbException e)
        {
            throw RegistryLog.Unreadable(e);
        }
    }

    /// <summary>A version with its code; null if it was dropped.</summary>
    private async Task<VersionArtifact?> ReadAsync(Guid version)
    {
        try
        {
            return await store.LoadArtifactAsync(version, CancellationToken.None).ConfigureAwait(false);
        }
        catch (DbException e)
        {
            throw RegistryLog.Unreadable(e);
        }
    }

    private static SidecarException Gone(string function) =>
        new("FUNCTION_NOT_FOUND", 404, $"The version of function '{function}' that was called no longer exists.");

    /// <summary>Removes the least recently used programs until the rest fits.</summary>
    private void Trim()
    {
        List<Task<SharedProgram>> gone = [];
        lock (gate)
        {
            var loaded = programs
                .Where(entry => entry.Value.IsCompletedSuccessfully)
                .OrderByDescending(entry => entry.Value.Result.LastUse);
            long bytes = 0;
            foreach (var (key, program) in loaded.ToList())
            {
                bytes += program.Result.Program.SnapshotBytes;
                if (bytes > MaxBytes && programs.Remove(key))
                    gone.Add(program);
            }
        }
        gone.ForEach(Release);
    }

    private static void Release(Task<SharedProgram>? program) =>
        program?.ContinueWith(
            static loaded => loaded.Result.Release(),
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default
        );
}
