using System.Diagnostics;
using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Sandbox.Programs;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// Programs ready to run, by version: by its id, for a name that is dropped and deployed again counts from 1 again. Loaded from the registry at their first use; one that another build of the engine
/// made is compiled again and stored. The least recently used go when the cache is full.
/// </summary>
internal sealed class ProgramCache : IDisposable
{
    /// <summary>How often instances that nobody needed are given back.</summary>
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

    /// <summary>Snapshots held at most, in bytes; those in use are held beyond it. Default: 1 GiB.</summary>
    public long MaxBytes { get; init; } = 1L << 30;

    /// <summary>Programs that were read from the registry, those left out that had to be compiled again.</summary>
    public long Loads => Interlocked.Read(ref loads);

    /// <summary>How long that took, from the question to the database until they could run.</summary>
    public TimeSpan LoadTime => new(Interlocked.Read(ref loadTicks));

    public ProgramCache(Compiler compiler, RegistryStore store, SidecarIdentity identity, TimeProvider time, ILogger<ProgramCache> logger)
    {
        this.compiler = compiler;
        this.store = store;
        this.identity = identity;
        this.logger = logger;
        trimming = time.CreateTimer(static cache => ((ProgramCache)cache!).TrimInstances(), this, TrimInterval, TrimInterval);
    }

    /// <summary>A program, loaded where it is not there yet.</summary>
    /// <exception cref="SidecarException">PGFN2503: the registry can't be read; PGFN2404: the version is gone; PGFN2422: it does not compile;
    /// PGFN2424: sidecars ended while they loaded it.</exception>
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

    /// <summary>Puts a program in that was compiled here.</summary>
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

    /// <summary>Drops every version of a function but one; those in use go when they are no longer.</summary>
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
        var artifact = found ?? throw new SidecarException("PGFN2404", 404, $"The version of function '{function}' that was called is gone.");
        if (lost >= RegistryStore.MaxAttempts)
        {
            throw new SidecarException(
                "PGFN2424", 500,
                $"Version {artifact.Version} of function '{function}' is not loaded again: {lost} times a sidecar ended while it loaded it. "
                + $"Deploy a corrected version, or select functions.retry_version('{function}', {artifact.Version});");
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
        var (program, outcome) = await compiler.CompileAsync(artifact).ConfigureAwait(false);
        if (program is null)
            throw new SidecarException("PGFN2422", 500, $"Version {artifact.Version} of function '{artifact.Function}' does not compile with this engine: {outcome.Error?.Message}");
        await StoreAsync(artifact, outcome).ConfigureAwait(false);
        return new SharedProgram(program);
    }

    private async Task EndAsync(VersionArtifact artifact, bool worked)
    {
        try
        {
            await store.EndLoadAsync(artifact.Id, identity.Id, worked, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is Npgsql.NpgsqlException or ObjectDisposedException)
        {
            RegistryLog.LoadNotEnded(logger, artifact.Function, artifact.Version, e.Message);
        }
    }

    /// <summary>The stored program; <see langword="null"/> where there is none, or none that this engine can use.</summary>
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

    /// <summary>Spares the next process the compilation; this one can do without.</summary>
    private async Task StoreAsync(VersionArtifact artifact, CompilationOutcome outcome)
    {
        try
        {
            await store.CompleteVersionAsync(artifact.Id, outcome, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Npgsql.NpgsqlException e)
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
        catch (Npgsql.NpgsqlException e)
        {
            throw RegistryLog.Unreadable(e);
        }
    }

    /// <summary>Drops the least recently used programs until the rest fits.</summary>
    private void Trim()
    {
        List<Task<SharedProgram>> gone = [];
        lock (gate)
        {
            var loaded = programs.Where(entry => entry.Value.IsCompletedSuccessfully).OrderByDescending(entry => entry.Value.Result.LastUse);
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
            TaskScheduler.Default);
}
