using System.Collections.Concurrent;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Storage.Postgres;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>The buckets in one invocation. Its caller decides what it may do. What it leaves open is closed with it.</summary>
internal sealed class StorageSession(
    ObjectBackends backends,
    BucketCatalog catalog,
    StorageMetrics metrics,
    Caller caller,
    TimeProvider time
) : BindingSession
{
    /// <summary>The most streams open at the same time; each has buffers of up to a megabyte.</summary>
    private const int MaxOpen = 16;

    /// <summary>Objects of at most this length are returned with the answer.</summary>
    private const int ShortBytes = PostgresObjectWriter.SmallBytes;

    /// <summary>More bytes are not worked on by the sandbox thread, where no deadline could stop it.</summary>
    private const int LightBytes = 16 * 1024;

    /// <summary>Work of the host for each byte that it copies, and for each that it computes checksums of, in nanoseconds.</summary>
    private const long ReadNanoseconds = 1;
    private const long WriteNanoseconds = 3;

    private readonly ConcurrentDictionary<int, ObjectReader> readers = new();
    private readonly ConcurrentDictionary<int, (ObjectWriter Writer, ObjectCondition? Condition)> writers = new();
    private readonly ConcurrentDictionary<int, byte> busy = new();
    private readonly CancellationTokenSource ended = new();
    private int lastId;
    private bool isAway;

    /// <inheritdoc/>
    protected override string AbortMessage => "The operation on the bucket was cancelled: the invocation is over.";

    /// <inheritdoc/>
    public override void Start(GuestOperation operation) =>
        _ = operation.Arguments.Length + operation.Payload.Length <= LightBytes ? RunAsync(operation) : RunElsewhereAsync(operation);

    /// <inheritdoc/>
    public override OutsideTrouble Explain(string code) =>
        code == SqlErrorCodes.Unavailable && Volatile.Read(ref isAway) ? OutsideTrouble.ServerAway : OutsideTrouble.None;

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await ended.CancelAsync().ConfigureAwait(false);
        // What an operation uses at this moment, it disposes itself.
        foreach (var id in readers.Keys.Concat(writers.Keys))
        {
            if (TryUse(id))
                await CloseAsync(id).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    protected override async ValueTask ExecuteAsync(GuestOperation operation, JsonElement arguments)
    {
        operation.Charge(ReadNanoseconds * operation.Arguments.Length + WriteNanoseconds * operation.Payload.Length);
        var token = operation.Cancellation;
        switch (operation.Name)
        {
            case "storage.head":
                var (headAccess, headKey) = await AccessAsync(arguments, "read", token).ConfigureAwait(false);
                var seen = await backends.Of(headAccess).FindAsync(headAccess, headKey, withData: false, token).ConfigureAwait(false);
                operation.Succeed(StorageAnswers.Head(seen?.Head));
                break;
            case "storage.get":
                await GetAsync(operation, arguments).ConfigureAwait(false);
                break;
            case "storage.put":
                await PutAsync(operation, arguments).ConfigureAwait(false);
                break;
            case "storage.delete":
                await DeleteAsync(operation, arguments).ConfigureAwait(false);
                break;
            case "storage.list":
                await ListAsync(operation, arguments).ConfigureAwait(false);
                break;
            case "storage.read" or "storage.cancel" or "storage.write" or "storage.finish" or "storage.discard":
                await UseAsync(operation, arguments.GetProperty("stream"u8).GetInt32()).ConfigureAwait(false);
                break;
            case "storage.open":
                RequireSpace();
                var writer = await WriterAsync(arguments, token).ConfigureAwait(false);
                operation.Succeed(StorageAnswers.Writer(Keep(writers, (writer, StorageArguments.Condition(arguments)))));
                break;
            case "storage.upload" or "storage.complete" or "storage.abort":
                await UploadAsync(operation, arguments).ConfigureAwait(false);
                break;
            case "storage.sign":
                await SignAsync(operation, arguments).ConfigureAwait(false);
                break;
            default:
                throw Unknown(operation);
        }
    }

    /// <inheritdoc/>
    protected override bool TryFail(GuestOperation operation, Exception failure)
    {
        var explained = failure as SidecarException ?? BucketStore.Explain(failure);
        if (explained is null)
            return false;
        if (explained.Code == SqlErrorCodes.Unavailable)
            Volatile.Write(ref isAway, true);
        var isOurs = explained.Code.StartsWith(StorageErrors.CodePrefix, StringComparison.Ordinal);
        operation.Fail("Error", isOurs ? $"{NameOf(operation)}: {explained.Message}" : explained.Message, explained.Code);
        return true;
    }

    /// <summary>The name of the method in R2, which begins its messages.</summary>
    private static string NameOf(GuestOperation operation) =>
        operation.Name switch
        {
            "storage.head" => "head",
            "storage.get" or "storage.read" or "storage.cancel" => "get",
            "storage.delete" => "delete",
            "storage.list" => "list",
            "storage.upload" => "createMultipartUpload",
            "storage.complete" => "completeMultipartUpload",
            "storage.abort" => "abortMultipartUpload",
            "storage.sign" => "createSignedUrl",
            _ => operation.Arguments.Span.IndexOf("\"uploadId\""u8) >= 0 ? "uploadPart" : "put",
        };

    private async ValueTask<(BucketAccess Access, string Key)> AccessAsync(
        JsonElement arguments,
        string right,
        CancellationToken cancellationToken
    )
    {
        var key = StorageArguments.Key(arguments);
        return (await AccessAsync(arguments, right, key, cancellationToken).ConfigureAwait(false), key);
    }

    private async ValueTask<BucketAccess> AccessAsync(JsonElement arguments, string right, string key, CancellationToken cancellationToken)
    {
        var name = arguments.GetProperty("bucket"u8).GetString()!;
        var bucket = await catalog.FindAsync(name, cancellationToken).ConfigureAwait(false) ?? throw StorageErrors.NoBucket(name);
        return BucketAccess.Check(bucket, caller.Role, caller.Subject, right, key);
    }

    private async Task GetAsync(GuestOperation operation, JsonElement arguments)
    {
        var (access, key) = await AccessAsync(arguments, "read", operation.Cancellation).ConfigureAwait(false);
        if (await backends.Of(access).FindAsync(access, key, withData: true, operation.Cancellation).ConfigureAwait(false) is not { } found)
        {
            operation.Succeed("null"u8.ToArray());
            return;
        }
        if (StorageArguments.Condition(arguments) is { } condition && !condition.Holds(found.Head))
        {
            operation.Succeed(StorageAnswers.Bodiless(found.Head));
            return;
        }
        var range = StorageArguments.Range(arguments, found.Head.Size);
        if (found.Data is null && range.Length > ShortBytes)
        {
            RequireSpace();
            var id = Keep(readers, backends.Of(access).Read(access, found, range));
            operation.Succeed(StorageAnswers.Body(found.Head, range, id));
            return;
        }
        var bytes = await ReadShortAsync(access, found, range, operation.Cancellation).ConfigureAwait(false);
        metrics.CountRead(bytes.Length);
        operation.Charge(ReadNanoseconds * bytes.Length);
        operation.Succeed(StorageAnswers.Body(found.Head, range, null), bytes);
    }

    private async Task<ReadOnlyMemory<byte>> ReadShortAsync(
        BucketAccess access,
        FoundObject found,
        ObjectRange range,
        CancellationToken cancellationToken
    )
    {
        await using var reader = backends.Of(access).Read(access, found, range);
        if (found.Data is not null)
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        var bytes = new byte[range.Length];
        for (var length = 0; length < bytes.Length; )
        {
            var piece = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            piece.CopyTo(bytes.AsMemory(length));
            length += piece.Length;
        }
        return bytes;
    }

    /// <summary>A whole object or part in one operation.</summary>
    private async Task PutAsync(GuestOperation operation, JsonElement arguments)
    {
        await using var writer = await WriterAsync(arguments, operation.Cancellation).ConfigureAwait(false);
        await writer.WriteAsync(operation.Payload, operation.Cancellation).ConfigureAwait(false);
        metrics.CountWritten(operation.Payload.Length);
        var written = await writer.CompleteAsync(StorageArguments.Condition(arguments), operation.Cancellation).ConfigureAwait(false);
        operation.Succeed(StorageAnswers.Written(written));
    }

    private async Task<ObjectWriter> WriterAsync(JsonElement arguments, CancellationToken cancellationToken)
    {
        var (access, key) = await AccessAsync(arguments, "write", cancellationToken).ConfigureAwait(false);
        if (arguments.TryGetProperty("uploadId"u8, out _))
        {
            var part = StorageArguments.Part(arguments);
            return await backends
                .Of(access)
                .WritePartAsync(access, key, StorageArguments.UploadId(arguments), part, cancellationToken)
                .ConfigureAwait(false);
        }
        return backends.Of(access).Write(access, key, StorageArguments.Metadata(arguments), StorageArguments.Digest(arguments));
    }

    private async Task DeleteAsync(GuestOperation operation, JsonElement arguments)
    {
        var keys = StorageArguments.Keys(arguments);
        BucketAccess? access = null;
        foreach (var key in keys)
            access = await AccessAsync(arguments, "delete", key, operation.Cancellation).ConfigureAwait(false);
        if (access is not null)
            await backends.Of(access).DeleteAsync(access, keys, operation.Cancellation).ConfigureAwait(false);
        operation.Succeed(default);
    }

    private async Task ListAsync(GuestOperation operation, JsonElement arguments)
    {
        var request = StorageArguments.List(arguments);
        var access = await AccessAsync(arguments, "list", request.Prefix, operation.Cancellation).ConfigureAwait(false);
        operation.Succeed(
            StorageAnswers.List(await backends.Of(access).ListAsync(access, request, operation.Cancellation).ConfigureAwait(false))
        );
    }

    private async Task UploadAsync(GuestOperation operation, JsonElement arguments)
    {
        var (access, key) = await AccessAsync(arguments, "write", operation.Cancellation).ConfigureAwait(false);
        switch (operation.Name)
        {
            case "storage.upload":
                var metadata = StorageArguments.Metadata(arguments);
                var upload = await backends
                    .Of(access)
                    .BeginUploadAsync(access, key, metadata, operation.Cancellation)
                    .ConfigureAwait(false);
                operation.Succeed(StorageAnswers.Member("uploadId", upload));
                break;
            case "storage.complete":
                var (id, parts) = (StorageArguments.UploadId(arguments), StorageArguments.Parts(arguments));
                var head = await backends
                    .Of(access)
                    .CompleteUploadAsync(access, key, id, parts, operation.Cancellation)
                    .ConfigureAwait(false);
                operation.Succeed(StorageAnswers.Written(new WrittenObject(head, null)));
                break;
            default:
                await backends
                    .Of(access)
                    .AbortUploadAsync(access, key, StorageArguments.UploadId(arguments), operation.Cancellation)
                    .ConfigureAwait(false);
                operation.Succeed(default);
                break;
        }
    }

    /// <summary>Whoever may read or write an object may let others do it by a URL.</summary>
    private async Task SignAsync(GuestOperation operation, JsonElement arguments)
    {
        var grant = StorageArguments.Grant(arguments, time.GetUtcNow());
        var right = grant.Method == "PUT" ? "write" : "read";
        var (access, key) = await AccessAsync(arguments, right, operation.Cancellation).ConfigureAwait(false);
        if (!SignedUrls.CanHave(key))
            throw StorageErrors.InvalidKey();
        grant = grant with { Subject = access.Subject, IsOwnersOnly = access.OnlyOwner is not null };
        operation.Succeed(StorageAnswers.Member("url", SignedUrls.Create(access.Bucket, key, grant)));
    }

    /// <summary>Goes on with a stream. One operation at a time uses it.</summary>
    private async Task UseAsync(GuestOperation operation, int id)
    {
        if (!TryUse(id))
            throw new FormatException();
        var end = default(StreamStep);
        try
        {
            end = operation.Name switch
            {
                "storage.read" => await ReadAsync(operation, readers[id]).ConfigureAwait(false),
                "storage.write" => await WriteAsync(operation, writers[id].Writer).ConfigureAwait(false),
                "storage.finish" => await FinishAsync(operation, writers[id]).ConfigureAwait(false),
                _ => default,
            };
        }
        finally
        {
            if (!end.GoesOn || ended.IsCancellationRequested)
                await CloseAsync(id).ConfigureAwait(false);
            busy.TryRemove(id, out _);
            // The session may have ended between the two, and passed over what was in use.
            if (end.GoesOn && ended.IsCancellationRequested && TryUse(id))
                await CloseAsync(id).ConfigureAwait(false);
        }
        // Last, because the guest then begins the next one.
        operation.Succeed(end.Result, end.Payload);
    }

    /// <summary>What an operation on a stream gave, and whether the stream goes on.</summary>
    private readonly record struct StreamStep(bool GoesOn, ReadOnlyMemory<byte> Result, ReadOnlyMemory<byte> Payload);

    private async Task<StreamStep> ReadAsync(GuestOperation operation, ObjectReader reader)
    {
        var bytes = await reader.ReadAsync(operation.Cancellation).ConfigureAwait(false);
        metrics.CountRead(bytes.Length);
        operation.Charge(ReadNanoseconds * bytes.Length);
        // The reader uses its memory again before the guest has copied it.
        return new StreamStep(!bytes.IsEmpty, default, bytes.ToArray());
    }

    private async Task<StreamStep> WriteAsync(GuestOperation operation, ObjectWriter writer)
    {
        await writer.WriteAsync(operation.Payload, operation.Cancellation).ConfigureAwait(false);
        metrics.CountWritten(operation.Payload.Length);
        return new StreamStep(true, default, default);
    }

    private static async Task<StreamStep> FinishAsync(GuestOperation operation, (ObjectWriter Writer, ObjectCondition? Condition) open) =>
        new(
            false,
            StorageAnswers.Written(await open.Writer.CompleteAsync(open.Condition, operation.Cancellation).ConfigureAwait(false)),
            default
        );

    /// <exception cref="SidecarException">PGFN5811: too many streams are open.</exception>
    private void RequireSpace()
    {
        if (readers.Count + writers.Count >= MaxOpen)
            throw StorageErrors.TooManyOpen(MaxOpen);
    }

    private int Keep<T>(ConcurrentDictionary<int, T> streams, T stream)
    {
        var id = Interlocked.Increment(ref lastId);
        streams[id] = stream;
        // The session may have ended meanwhile, and would not close it.
        if (ended.IsCancellationRequested && TryUse(id))
            _ = CloseAsync(id);
        return id;
    }

    private bool TryUse(int id) => (readers.ContainsKey(id) || writers.ContainsKey(id)) && busy.TryAdd(id, 0);

    private async Task CloseAsync(int id)
    {
        if (readers.TryRemove(id, out var reader))
            await reader.DisposeAsync().ConfigureAwait(false);
        if (writers.TryRemove(id, out var open))
            await open.Writer.DisposeAsync().ConfigureAwait(false);
    }
}
