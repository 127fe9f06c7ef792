using System.Collections.Concurrent;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Registry;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// The functions that can be called, by name. A function is loaded at its first call and again after each change; while the database
/// is away, what is loaded goes on being served.
/// </summary>
internal sealed class FunctionCatalog(
    RegistryStore store, DeployedFunctionFactory factory, ProgramCache programs, TimeProvider time, ILogger<FunctionCatalog> logger)
{
    /// <summary>How long the answer "no such function" is believed.</summary>
    private static readonly TimeSpan AbsenceKept = TimeSpan.FromSeconds(1);

    /// <summary>Names that do not exist are remembered up to this number: anybody can ask for any name.</summary>
    private const int MaxAbsent = 10_000;

    private readonly ConcurrentDictionary<string, Task<Entry>> entries = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, FunctionAdmission> admissions = new(StringComparer.Ordinal);

    /// <summary>The function to call, or <see langword="null"/> where there is none, it is disabled, or no version of it is ready.</summary>
    /// <exception cref="SidecarException">PGFN2503: it is not loaded, and the database can't be reached.</exception>
    public async ValueTask<DeployedFunction?> FindAsync(string name, CancellationToken cancellationToken)
    {
        var loading = entries.GetOrAdd(name, static (key, catalog) => catalog.LoadAsync(key), this);
        if (loading.IsCompletedSuccessfully && !IsStale(loading.Result))
            return loading.Result.Function;
        if (loading.IsCompleted)
        {
            // Failed, or an absence too old to be believed.
            entries.TryRemove(new(name, loading));
            loading = entries.GetOrAdd(name, static (key, catalog) => catalog.LoadAsync(key), this);
        }
        return (await loading.WaitAsync(cancellationToken).ConfigureAwait(false)).Function;
    }

    /// <summary>Loads a function again at its next call. Calls under way keep what they have.</summary>
    public void Invalidate(string name) => entries.TryRemove(name, out _);

    /// <summary>Loads every function, for the start.</summary>
    /// <returns>Those that can be called.</returns>
    public async Task<IReadOnlyList<DeployedFunction>> PreloadAsync(CancellationToken cancellationToken)
    {
        foreach (var definition in await store.LoadAllAsync(cancellationToken).ConfigureAwait(false))
            entries.TryAdd(definition.Name, Task.FromResult(Build(definition.Name, definition)));
        return [.. entries.Values.Where(entry => entry.IsCompletedSuccessfully).Select(entry => entry.Result.Function).OfType<DeployedFunction>()];
    }

    /// <summary>Loads everything anew. Where that fails, everything stays as it is.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        // What is loaded again in the meantime is newer than what the question below finds.
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
        catch (Npgsql.NpgsqlException e)
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

    /// <summary>A function, or its absence since a moment.</summary>
    private readonly record struct Entry(DeployedFunction? Function, long Since);
}
