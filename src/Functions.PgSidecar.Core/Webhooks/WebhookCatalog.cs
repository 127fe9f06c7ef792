using System.Collections.Concurrent;
using System.Data.Common;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Postgres.Errors;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>
/// The webhooks by name, in memory, so that a request needs no query. One is read at its first request, and again after each change. While
/// changes are not notified, each is read again after a second.
/// </summary>
internal sealed class WebhookCatalog(WebhookStore store, TimeProvider time) : INotificationHandler
{
    /// <summary>How long an entry is used while changes are not notified, and how long an absence is remembered.</summary>
    private static readonly TimeSpan Brief = TimeSpan.FromSeconds(1);

    /// <summary>How long any other entry is used, in case a notification was missed.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);

    /// <summary>The most absent names that are remembered, because anyone can ask for any name.</summary>
    private const int MaxAbsent = 10_000;

    private readonly ConcurrentDictionary<string, Task<Entry>> entries = new(StringComparer.Ordinal);
    private volatile bool isListening;

    /// <inheritdoc/>
    public string ChannelName => "functions_webhooks";

    /// <summary>The webhook, or <see langword="null"/> if there is none or it is disabled.</summary>
    /// <exception cref="SidecarException">
    /// DATABASE_UNAVAILABLE: it is not in memory, and the database can't be reached. PGFN7301: a secret can't be decrypted.
    /// </exception>
    public async ValueTask<WebhookDefinition?> FindAsync(string name, CancellationToken cancellationToken)
    {
        var loading = entries.GetOrAdd(name, static (key, catalog) => catalog.LoadAsync(key), this);
        if (loading.IsCompleted && (!loading.IsCompletedSuccessfully || IsOld(loading.Result)))
        {
            entries.TryRemove(new(name, loading));
            loading = entries.GetOrAdd(name, static (key, catalog) => catalog.LoadAsync(key), this);
        }
        return (await loading.WaitAsync(cancellationToken).ConfigureAwait(false)).Webhook;
    }

    /// <summary>A webhook was created, changed or dropped. A request that reads it meanwhile may see either state; the next one is
    /// right.</summary>
    public void Notified(string payload) => entries.TryRemove(payload, out _);

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening)
    {
        this.isListening = isListening;
        entries.Clear();
    }

    private async Task<Entry> LoadAsync(string name)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var since = time.GetTimestamp();
        try
        {
            var webhook = await store.LoadAsync(name, CancellationToken.None).ConfigureAwait(false);
            if (webhook is null && entries.Count > MaxAbsent)
                ForgetAbsent();
            return new Entry(webhook, since);
        }
        catch (DbException e)
        {
            throw new SidecarException(
                SqlErrorCodes.Unavailable,
                503,
                "The webhook can't be read: the database can't be reached at the moment.",
                e
            );
        }
    }

    private bool IsOld(Entry entry) => time.GetElapsedTime(entry.Since) > (entry.Webhook is null || !isListening ? Brief : Long);

    private void ForgetAbsent()
    {
        foreach (var (name, entry) in entries)
        {
            if (entry.IsCompletedSuccessfully && entry.Result.Webhook is null)
                entries.TryRemove(new(name, entry));
        }
    }

    /// <summary>A webhook, or that there is none, and when that was read.</summary>
    private readonly record struct Entry(WebhookDefinition? Webhook, long Since);
}
