using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Threading.Channels;
using Functions.PgSidecar.Postgres.Registry;

namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>
/// The API keys, in memory while changes of them are heard, so that a request costs no round trip. A key that is dropped or changed is forgotten with the
/// notification; one that expires stops by the clock.
/// </summary>
internal sealed class ApiKeyCatalog(ApiKeyStore store, TimeProvider time) : IDisposable
{
    /// <summary>How often a use is written down.</summary>
    private static readonly TimeSpan UsePrecision = TimeSpan.FromMinutes(1);

    /// <summary>What an unknown key is compared with: the answer takes as long as for a known one.</summary>
    private static readonly byte[] NoHash = new byte[SHA256.HashSizeInBytes];

    private readonly ConcurrentDictionary<string, DateTimeOffset> noted = new(StringComparer.Ordinal);
    private readonly Channel<(string Id, DateTimeOffset At)> uses =
        Channel.CreateBounded<(string, DateTimeOffset)>(new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Lock changing = new();
    private readonly SemaphoreSlim reading = new(1);
    private (long Began, FrozenDictionary<string, ApiKey> Keys)? lastRead;
    private volatile FrozenDictionary<string, ApiKey>? known;
    private bool isListening;
    private int generation;

    /// <summary>Uses that are to be written down, one a minute for each key at most; uses beyond 256 that wait are not.</summary>
    public ChannelReader<(string Id, DateTimeOffset At)> Uses => uses.Reader;

    /// <summary>Who presents this key, or why it is refused.</summary>
    /// <param name="text">What the request carries; it begins with <see cref="ApiKeyText.Prefix"/>.</param>
    /// <param name="cancellationToken">Ends the wait for the database, where it has to be asked.</param>
    /// <exception cref="Npgsql.NpgsqlException">The keys are not in memory, and the database can't be reached.</exception>
    public async ValueTask<ManagementResult> FindAsync(string text, CancellationToken cancellationToken)
    {
        if (!ApiKeyText.IsKey(text))
            return AuthRefusal.UnknownApiKey;
        // The id is public: whether there is one may show in the time that takes. The rest is compared by hash, in constant time.
        var id = ApiKeyText.IdOf(text);
        var key = (known ?? await ReadAsync(cancellationToken).ConfigureAwait(false)).GetValueOrDefault(id)
            // A key that was just made may be used before its notification arrives.
            ?? (await ReadAsync(cancellationToken).ConfigureAwait(false)).GetValueOrDefault(id);
        if (!CryptographicOperations.FixedTimeEquals(ApiKeyText.HashOf(text), key?.Hash ?? NoHash) || key is null)
            return AuthRefusal.UnknownApiKey;
        var now = time.GetUtcNow();
        if (key.ExpiresAt <= now)
            return AuthRefusal.ApiKeyExpired;
        NoteUse(key, now);
        return new Manager("key " + key.Name, key.Id, key.Scopes, key.Functions);
    }

    /// <summary>Reads the keys again at the next use.</summary>
    /// <param name="isListening">Whether changes are heard; null: as before. While they are not, the keys are read at each use.</param>
    public void Invalidate(bool? isListening = null)
    {
        lock (changing)
        {
            this.isListening = isListening ?? this.isListening;
            known = null;
            generation++;
        }
    }

    /// <summary>
    /// Reads the keys, one reading at a time: requests that arrive before a reading begins share it, so that unknown keys, which anybody can send, ask the
    /// database for little.
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
            var keys = (await store.LoadAllAsync(cancellationToken).ConfigureAwait(false)).ToFrozenDictionary(key => key.Id, StringComparer.Ordinal);
            lastRead = (began, keys);
            lock (changing)
            {
                // A change that was heard meanwhile may not be in what was read.
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
