using System.Collections.Concurrent;
using System.Data.Common;
using Functions.PgSidecar.Core.Invocations;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// The functions that can be called, by name. A function is loaded at its first call, and again after each change. While the database is
/// unavailable, loaded functions can still be called.
/// </summary>
internal sealed class FunctionCatalog(
    RegistryStore store,
    DeployedFunctionFactory factory,
    ProgramCache programs,
    TimeProvider time,
    ILogger<FunctionCatalog> logger
)
{
    /// <summary>How long the absence of a function is cached.</summary>
    private static readonly TimeSpan AbsenceKept = TimeSpan.FromSeconds(1);

    /// <summary>The most absent names cached, because anyone can request any name.</summary>
    private const int MaxAbsent = 10_000;

    private readonly ConcurrentDictionary<string, Task<Entry>> entries = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, FunctionAdmission> admissions = new(StringComparer.Ordinal);

    /// <summary>The function, or <see langword="null"/> if it does not exist, is disabled, or has no version that is ready.</summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE: the function is not loaded, and the database can't be reached.</exception>
    public async ValueTask<DeployedFunction?> FindAsync(string name, CancellationToken cancellationToken)
    {
        var loading = entries.GetOrAdd(name, static (key, catalog) => catalog.LoadAsync(key), this);
        if (loading.IsCompletedSuccessfully && !IsStale(loading.Result))
            return loading.Result.Function;
        if (loading.IsCompleted)
        {
            // The load failed, or the cached absence has expired.
            entries.TryRemove(new(name, loading));
            loading = entries.GetOrAdd(name, static (key, catalog) => catalog.LoadAsync(key), this);
        }
        return (await loading.WaitAsync(cancellationToken).ConfigureAwait(false)).Function;
    }

    /// <summary>
    /// As <see cref="FindAsync"/>, but looks again instead of trusting an absence that is cached, which may be older than the function. For
    /// callers that are known: it costs a query each time.
    /// </summary>
    /// <exception cref="SidecarException">DATABASE_UNAVAILABLE: the database can't be reached.</exception>
    public async ValueTask<DeployedFunction?> FindNowAsync(string name, CancellationToken cancellationToken)
    {
        if (await FindAsync(name, cancellationToken).ConfigureAwait(false) is { } found)
            return found;
        Invalidate(name);
        return await FindAsync(name, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes the next call load the function again. Running calls keep theirs.</summary>
    public void Invalidate(string name) => entries.TryRemove(name, out _);

    /// <summary>Loads every function, at the start.</summary>
    /// <returns>The functions that can be called.</returns>
    public async Task<IReadOnlyList<DeployedFunction>> PreloadAsync(CancellationToken cancellationToken)
    {
        foreach (var definition in await store.LoadAllAsync(cancellationToken).ConfigureAwait(false))
            entries.TryAdd(definition.Name, Task.FromResult(Build(definition.Name, definition)));
        return
        [
            .. entries
                .Values.Where(entry => entry.IsCompletedSuccessfully)
                .Select(entry => entry.Result.Function)
                .OfType<DeployedFunction>(),
        ];
    }

    /// <summary>Loads everything again. If that fails, nothing changes.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        // A function that is loaded during the query is newer than the query's result.
        var before = entries.ToArray();
        var definitions = await store.LoadAllAsync(cancellationToken).ConfigureAwait(false);
        var byName = definitions.ToDictionary(definition => definition.Name, StringComparer.Ordinal);
        foreach (var entry in before)
        {
            if (byName.TryGetValue(entry.Key, out var definition))
                entries.TryUpdate(entry.Key, Task.FromResult(Build(entry.Key, definition)), entry.Value);
            else
                entries.TryRemove(entry);
        }
    }

    private async Task<Entry> LoadAsync(string name)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            return Build(name, await store.LoadAsync(name, CancellationToken.None).ConfigureAwait(false));
        }
        catch (DbException e)
        {
            throw RegistryLog.Unreadable(e);
        }
        catch (Exception e) when (e is not SidecarException)
        {
            RegistryLog.LoadFailed(logger, e, name);
            throw;
        }
    }

    private Entry Build(string name, FunctionDefinition? definition)
    {
        programs.Retain(name, definition?.VersionId);
        if (definition is not { Enabled: true, VersionId: not null })
        {
            if (entries.Count > MaxAbsent)
                ForgetAbsent();
            return new Entry(null, time.GetTimestamp());
        }
        var admission = admissions.GetOrAdd(name, static (_, clock) => new FunctionAdmission(clock), time);
        admission.Apply(definition.Options);
        return new Entry(factory.Create(definition, admission), 0);
    }

    private void ForgetAbsent()
    {
        foreach (var (name, entry) in entries)
        {
            if (entry.IsCompletedSuccessfully && entry.Result.Function is null)
                entries.TryRemove(new(name, entry));
        }
    }

    private bool IsStale(Entry entry) => entry.Function is null && time.GetElapsedTime(entry.Since) > AbsenceKept;

    /// <summary>A function, or the time since which it is known to be absent.</summary>
    private readonly record struct Entry(DeployedFunction? Function, long Since);
}
