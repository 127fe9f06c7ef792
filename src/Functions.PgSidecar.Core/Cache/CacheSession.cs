using System.Buffers;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>The caches in one invocation. Its role decides which it may read and write.</summary>
internal sealed class CacheSession(
    CacheStore store,
    CacheReader reader,
    CacheCatalog catalog,
    CacheUses uses,
    CacheMetrics metrics,
    string role,
    TimeProvider time
) : BindingSession
{
    private const int MaxKeys = 100;
    private const int MaxListed = 1000;
    private const int MaxMetadataBytes = 1024;

    /// <summary>Longer arguments, in bytes, are not parsed on the sandbox thread, where no deadline could stop it.</summary>
    private const int ShortBytes = 16 * 1024;

    /// <summary>Work of the host for each byte of a value that it copies, in nanoseconds.</summary>
    private const long NanosecondsPerByte = 1;

    private const string Unavailable = SqlErrorCodes.Unavailable;

    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestLook = TimeSpan.FromMilliseconds(100);

    private bool isAway;

    /// <inheritdoc/>
    protected override string AbortMessage => "The operation on the cache was cancelled: the invocation is over.";

    /// <inheritdoc/>
    public override void Start(GuestOperation operation) =>
        _ = operation.Arguments.Length <= ShortBytes ? RunAsync(operation) : RunElsewhereAsync(operation);

    /// <inheritdoc/>
    public override OutsideTrouble Explain(string code) =>
        code == Unavailable && Volatile.Read(ref isAway) ? OutsideTrouble.ServerAway : OutsideTrouble.None;

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <inheritdoc/>
    protected override async ValueTask ExecuteAsync(GuestOperation operation, JsonElement arguments)
    {
        var name = arguments.GetProperty("cache"u8).GetString()!;
        var isRead = operation.Name is "cache.get" or "cache.list" or "cache.claim";
        var cache = await CheckAsync(name, isRead, operation.Cancellation).ConfigureAwait(false);
        operation.Charge(NanosecondsPerByte * (operation.Arguments.Length + operation.Payload.Length));
        switch (operation.Name)
        {
            case "cache.get":
                await GetAsync(operation, name, arguments).ConfigureAwait(false);
                return;
            case "cache.put":
                await PutAsync(operation, cache, Key(arguments), arguments).ConfigureAwait(false);
                break;
            case "cache.delete":
                await store.DeleteAsync(name, Key(arguments), operation.Cancellation).ConfigureAwait(false);
                break;
            case "cache.list":
                await ListAsync(operation, name, arguments).ConfigureAwait(false);
                return;
            case "cache.increment":
                await IncrementAsync(operation, name, arguments).ConfigureAwait(false);
                return;
            case "cache.swap":
                await SwapAsync(operation, cache, arguments).ConfigureAwait(false);
                return;
            case "cache.claim":
                await CheckAsync(name, isRead: false, operation.Cancellation).ConfigureAwait(false);
                await ClaimAsync(operation, name, arguments).ConfigureAwait(false);
                return;
            case "cache.release":
                await store
                    .ReleaseAsync(name, Key(arguments), arguments.GetProperty("claim"u8).GetGuid(), operation.Cancellation)
                    .ConfigureAwait(false);
                break;
            default:
                throw Unknown(operation);
        }
        operation.Succeed(default);
    }

    /// <inheritdoc/>
    protected override bool TryFail(GuestOperation operation, Exception failure)
    {
        if (CacheStore.Explain(failure) is not { } explained)
            return false;
        if (explained.Code == Unavailable)
            Volatile.Write(ref isAway, true);
        operation.Fail("Error", explained.Message, explained.Code);
        return true;
    }

    /// <exception cref="SidecarException">PGFN5701: there is no such cache. PGFN5705: the role has no right to it.</exception>
    private async ValueTask<CacheDefinition> CheckAsync(string name, bool isRead, CancellationToken cancellationToken)
    {
        var cache = await catalog.FindAsync(name, cancellationToken).ConfigureAwait(false)
            ?? throw new SidecarException("PGFN5701", 404, $"There is no cache '{Shortened(name)}'; functions.create_cache makes one.");
        if (isRead ? cache.MayRead(role) : cache.MayWrite(role))
            return cache;
        throw new SidecarException(
            "PGFN5705",
            403,
            $"The role {role} may not {(isRead ? "read" : "write")} the cache '{cache.Name}' (functions.create_cache)."
        );
    }

    private async Task GetAsync(GuestOperation operation, string cache, JsonElement arguments)
    {
        var maxAge = arguments.TryGetProperty("cacheTtl"u8, out var ttl)
            ? TimeSpan.FromSeconds(Math.Clamp(ttl.GetDouble(), 0, 86_400))
            : (TimeSpan?)null;
        Succeed(operation, await reader.ReadAsync(cache, Keys(arguments), maxAge, operation.Cancellation).ConfigureAwait(false));
    }

    /// <summary>Answers <c>{"entries":[[length, metadata] or null]}</c> and the values, one after the other.</summary>
    private static void Succeed(GuestOperation operation, CacheEntry?[] entries)
    {
        var values = new ArrayBufferWriter<byte>();
        var json = Write(writer =>
        {
            writer.WriteStartArray("entries"u8);
            foreach (var entry in entries)
            {
                if (entry is not { } present)
                {
                    writer.WriteNullValue();
                    continue;
                }
                writer.WriteStartArray();
                writer.WriteNumberValue(present.Value.Length);
                WriteMetadata(writer, present.Metadata);
                writer.WriteEndArray();
                if (entries.Length > 1)
                    values.Write(present.Value);
            }
            writer.WriteEndArray();
        });
        var bytes = entries is [{ } single] ? single.Value : values.WrittenMemory;
        operation.Charge(NanosecondsPerByte * bytes.Length);
        operation.Succeed(json, bytes);
    }

    private async Task PutAsync(GuestOperation operation, CacheDefinition cache, string key, JsonElement arguments)
    {
        await store.PutAsync(cache.Name, key, Entry(cache, operation.Payload, arguments), operation.Cancellation).ConfigureAwait(false);
        if (arguments.TryGetProperty("claim"u8, out var claim))
            await store.ReleaseAsync(cache.Name, key, claim.GetGuid(), operation.Cancellation).ConfigureAwait(false);
    }

    /// <summary>The payload is the expected value, of the length <c>expected</c> (null: none is expected), and the new value.</summary>
    private async Task SwapAsync(GuestOperation operation, CacheDefinition cache, JsonElement arguments)
    {
        var length = arguments.GetProperty("expected"u8) is { ValueKind: JsonValueKind.Number } given ? given.GetInt32() : (int?)null;
        if (length < 0 || length > operation.Payload.Length)
            throw new FormatException();
        var swapped = await store
            .CompareAndSetAsync(
                cache.Name,
                Key(arguments),
                length is { } size ? operation.Payload[..size] : (ReadOnlyMemory<byte>?)null,
                Entry(cache, operation.Payload[(length ?? 0)..], arguments),
                operation.Cancellation
            )
            .ConfigureAwait(false);
        operation.Succeed(swapped ? "true"u8.ToArray() : "false"u8.ToArray());
    }

    private async Task IncrementAsync(GuestOperation operation, string cache, JsonElement arguments)
    {
        var value = await store
            .IncrementAsync(cache, Key(arguments), arguments.GetProperty("by"u8).GetInt64(), TimeToLive(arguments), operation.Cancellation)
            .ConfigureAwait(false);
        operation.Succeed(Encoding.ASCII.GetBytes(value.ToString(System.Globalization.CultureInfo.InvariantCulture)));
    }

    private async Task ListAsync(GuestOperation operation, string cache, JsonElement arguments)
    {
        var prefix = arguments.TryGetProperty("prefix"u8, out var text) ? text.GetString() ?? "" : "";
        if (prefix.Contains('\0', StringComparison.Ordinal) || Encoding.UTF8.GetByteCount(prefix) > CacheKeys.MaxBytes)
            throw new FormatException();
        var limit = Math.Clamp(arguments.GetProperty("limit"u8).GetInt32(), 1, MaxListed);
        var after = arguments.TryGetProperty("cursor"u8, out var cursor)
            ? CacheKeys.Check(Encoding.UTF8.GetString(cursor.GetBytesFromBase64()))
            : null;
        // One more than asked for tells whether the list is complete.
        var keys = await store.ListAsync(cache, prefix, after, limit + 1, operation.Cancellation).ConfigureAwait(false);
        operation.Succeed(Write(writer => WriteList(writer, keys, limit)));
    }

    private static void WriteList(Utf8JsonWriter writer, List<CacheKey> keys, int limit)
    {
        writer.WriteStartArray("keys"u8);
        foreach (var key in keys.Take(limit))
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, key.Key);
            if (key.Expiration is { } expiration)
                writer.WriteNumber("expiration"u8, expiration);
            if (key.Metadata is not null)
            {
                writer.WritePropertyName("metadata"u8);
                WriteMetadata(writer, key.Metadata);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteBoolean("list_complete"u8, keys.Count <= limit);
        if (keys.Count > limit)
            writer.WriteBase64String("cursor"u8, Encoding.UTF8.GetBytes(keys[limit - 1].Key));
    }

    /// <summary>
    /// Waits until the key has a value, or this invocation may compute it: answers as <c>cache.get</c>, or <c>{"claim":id}</c>.
    /// </summary>
    private async Task ClaimAsync(GuestOperation operation, string cache, JsonElement arguments)
    {
        var key = Key(arguments);
        var lease = TimeSpan.FromSeconds(Math.Clamp(arguments.GetProperty("lease"u8).GetDouble(), 1, 300));
        for (var pause = FirstLook; ; pause = pause * 2 < LongestLook ? pause * 2 : LongestLook)
        {
            if (await store.GetAsync(cache, key, operation.Cancellation).ConfigureAwait(false) is { } found)
            {
                metrics.CountReads(1, 0, copied: 0);
                uses.Note(cache, key);
                Succeed(operation, [found]);
                return;
            }
            if (await store.TryClaimAsync(cache, key, lease, operation.Cancellation).ConfigureAwait(false) is { } claim)
            {
                // Between the look and the claim somebody may have stored the value and given the claim back.
                if (await store.GetAsync(cache, key, operation.Cancellation).ConfigureAwait(false) is null)
                {
                    metrics.CountReads(0, 1, copied: 0);
                    operation.Succeed(Write(writer => writer.WriteString("claim"u8, claim)));
                    return;
                }
                await store.ReleaseAsync(cache, key, claim, operation.Cancellation).ConfigureAwait(false);
                continue;
            }
            await Task.Delay(pause, time, operation.Cancellation).ConfigureAwait(false);
        }
    }

    private static NewCacheEntry Entry(CacheDefinition cache, ReadOnlyMemory<byte> value, JsonElement arguments)
    {
        if (value.Length > cache.MaxValueBytes)
            throw new SidecarException(
                "PGFN5704",
                413,
                $"KV PUT failed: 413 Value length of {value.Length} exceeds limit of {cache.MaxValueBytes}."
            );
        string? metadata = null;
        if (arguments.TryGetProperty("metadata"u8, out var given) && given.ValueKind != JsonValueKind.Null)
        {
            metadata = given.GetRawText();
            if (Encoding.UTF8.GetByteCount(metadata) > MaxMetadataBytes)
                throw new SidecarException("PGFN5704", 413, $"The metadata has more than {MaxMetadataBytes} bytes.");
        }
        var expiration = arguments.TryGetProperty("expiration"u8, out var at)
            ? DateTimeOffset.FromUnixTimeSeconds(at.GetInt64())
            : (DateTimeOffset?)null;
        return new NewCacheEntry(value, metadata, TimeToLive(arguments), expiration);
    }

    private static TimeSpan? TimeToLive(JsonElement arguments) =>
        arguments.TryGetProperty("ttl"u8, out var ttl) ? TimeSpan.FromSeconds(Math.Clamp(ttl.GetDouble(), 0.001, 1e10)) : null;

    private static string Key(JsonElement arguments) => CacheKeys.Check(arguments.GetProperty("key"u8).GetString());

    private static string[] Keys(JsonElement arguments)
    {
        var keys = arguments.GetProperty("keys"u8);
        return keys.GetArrayLength() is >= 1 and <= MaxKeys
            ? [.. keys.EnumerateArray().Select(key => CacheKeys.Check(key.GetString()))]
            : throw new FormatException();
    }

    private static void WriteMetadata(Utf8JsonWriter writer, string? metadata)
    {
        if (metadata is null)
            writer.WriteNullValue();
        else
            writer.WriteRawValue(metadata, skipInputValidation: true);
    }

    private static ReadOnlyMemory<byte> Write(Action<Utf8JsonWriter> members)
    {
        var json = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        members(writer);
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }

    private static string Shortened(string name) => name.Length <= 64 ? name : name[..64] + "...";
}
