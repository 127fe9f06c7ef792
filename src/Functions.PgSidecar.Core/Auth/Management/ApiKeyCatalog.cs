using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Threading.Channels;
using Functions.PgSidecar.Core.Notifications;

namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>
/// The API keys, cached in memory while change notifications arrive, so that a request needs no round trip. A key that is dropped or
/// changed is removed with the notification; one that expires is refused by the clock.
/// </summary>
internal sealed class ApiKeyCatalog(ApiKeyStore store, TimeProvider time) : INotificationHandler, IDisposable
{
    /// <summary>The least time between two recorded uses of a key.</summary>
    private static readonly TimeSpan UsePrecision = TimeSpan.FromMinutes(1);

    /// <summary>The hash that an unknown key is compared with, so that the response takes as long as for a known key.</summary>
    private static readonly byte[] NoHash = new byte[SHA256.HashSizeInBytes];

    private readonly ConcurrentDictionary<string, DateTimeOffset> noted = new(StringComparer.Ordinal);
    private readonly Channel<(string Id, DateTimeOffset At)> uses = Channel.CreateBounded<(string, DateTimeOffset)>(
        new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropWrite }
    );
    private readonly Lock changing = new();
    private readonly SemaphoreSlim reading = new(1);
    private (long Began, FrozenDictionary<string, ApiKey> Keys)? lastRead;
    private volatile FrozenDictionary<string, ApiKey>? known;
    private bool isListening;
    private int generation;

    /// <summary>Uses to be recorded, at most one a minute for each key. While 256 are waiting, further ones are dropped.</summary>
    public ChannelReader<(string Id, DateTimeOffset At)> Uses => uses.Reader;

    /// <summary>The holder of a key, or why it is refused.</summary>
    /// <param name="text">The credential of the request; it begins with <see cref="ApiKeyText.Prefix"/>.</param>
    /// <param name="cancellationToken">Ends the wait for the database, if it must be queried.</param>
    /// <exception cref="System.Data.Common.DbException">The keys are not in memory, and the database can't be reached.</exception>
    public async ValueTask<ManagementResult> FindAsync(string text, CancellationToken cancellationToken)
    {
        if (!ApiKeyText.IsKey(text))
            return AuthRefusal.UnknownApiKey;
        // The id is public, so the response time may reveal whether it exists. The rest is compared by hash, in constant time.
        var id = ApiKeyText.IdOf(text);
        var key = (known ?? await ReadAsync(cancellationToken).ConfigureAwait(false)).GetValueOrDefault(id)
            // A key that was just created may be used before its notification arrives.
            ?? (await ReadAsync(cancellationToken).ConfigureAwait(false)).GetValueOrDefault(id);
        if (!CryptographicOperations.FixedTimeEquals(ApiKeyText.HashOf(text), key?.Hash ?? NoHash) || key is null)
            return AuthRefusal.UnknownApiKey;
        var now = time.GetUtcNow();
        if (key.ExpiresAt <= now.UtcDateTime)
            return AuthRefusal.ApiKeyExpired;
        NoteUse(key, now);
        return new Manager("key " + key.Name, key.Id, key.Scopes, key.Functions);
    }

    /// <inheritdoc/>
    public string ChannelName => "functions_api_keys";

    /// <summary>A key was created, changed or dropped: the keys are read again at the next use.</summary>
    public void Notified(string payload) => Invalidate(isListening);

    /// <summary>Without notifications, the keys are read at each use.</summary>
    public void ListeningChanged(bool isListening) => Invalidate(isListening);

    private void Invalidate(bool isListening)
    {
        lock (changing)
        {
            this.isListening = isListening;
            known = null;
            generation++;
        }
    }

    /// <summary>
    /// Reads the keys, one read at a time. Requests that arrive before a read begins share it, so that unknown keys, which anyone can send,
    /// cause little load on the database.
    /// </summary>
    private async Task<FrozenDictionary<string, ApiKey>> ReadAsync(CancellationToken cancellationToken)
    {
        var arrived = time.GetTimestamp();
        await reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (lastRead is { } last && last.Began > arrived)
                return last.Keys;
            var began = time.GetTimestamp();
            var asked = Volatile.Read(ref generation);
            var keys = (await store.LoadAllAsync(cancellationToken).ConfigureAwait(false)).ToFrozenDictionary(
                key => key.Id,
                StringComparer.Ordinal
            );
            lastRead = (began, keys);
            lock (changing)
            {
                // A change that was notified meanwhile may not be in the result.
                if (isListening && asked == generation)
                    known = keys;
            }
            return keys;
        }
        finally
        {
            reading.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => reading.Dispose();

    private void NoteUse(ApiKey key, DateTimeOffset now)
    {
        if (noted.TryGetValue(key.Id, out var last) && now - last < UsePrecision)
            return;
        noted[key.Id] = now;
        uses.Writer.TryWrite((key.Id, now));
    }
}
