using System.Collections.Concurrent;

namespace Functions.PgSidecar.Core.Notifications;

/// <summary>
/// Definitions by name, in memory: of caches, buckets, vector indexes. One is read at its first use, and again after each change; while
/// changes are not notified, after a second.
/// </summary>
/// <typeparam name="T">What a name stands for.</typeparam>
internal abstract class DefinitionCatalog<T>(TimeProvider time) : INotificationHandler
    where T : class
{
    /// <summary>How long an entry is used while changes are not notified.</summary>
    private static readonly TimeSpan Brief = TimeSpan.FromSeconds(1);

    /// <summary>How long any other entry is used, in case a notification was missed.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, (T Definition, long Since)> known = new(StringComparer.Ordinal);
    private volatile bool isListening;
    private int changes;

    /// <summary>The channel whose notifications have the name of what was created, changed or dropped.</summary>
    public abstract string ChannelName { get; }

    /// <summary>The definition, or <see langword="null"/> if there is none.</summary>
    public async ValueTask<T?> FindAsync(string name, CancellationToken cancellationToken)
    {
        if (known.TryGetValue(name, out var entry) && time.GetElapsedTime(entry.Since) <= (isListening ? Long : Brief))
            return entry.Definition;
        // The database can't even compare such a name.
        if (name.Contains('\0', StringComparison.Ordinal))
            return null;
        var (before, since) = (Volatile.Read(ref changes), time.GetTimestamp());
        var definition = await LoadAsync(name, cancellationToken).ConfigureAwait(false);
        if (definition is null)
            known.TryRemove(name, out _);
        else if (before == Volatile.Read(ref changes)) // a change that was notified meanwhile may not be in the result
            known[name] = (definition, since);
        return definition;
    }

    /// <inheritdoc/>
    public void Notified(string payload)
    {
        Interlocked.Increment(ref changes);
        known.TryRemove(payload, out _);
    }

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening)
    {
        this.isListening = isListening;
        Interlocked.Increment(ref changes);
        known.Clear();
    }

    /// <summary>Reads a definition from the database; <see langword="null"/> if there is none.</summary>
    protected abstract Task<T?> LoadAsync(string name, CancellationToken cancellationToken);
}
