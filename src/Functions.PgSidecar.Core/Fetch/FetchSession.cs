using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Json;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>Outgoing requests of one invocation, and the responses whose bodies it has not read completely.</summary>
internal sealed class FetchSession(OutboundHttp http, Invocation invocation) : BindingSession
{
    /// <summary>The most concurrent requests of one invocation; further ones wait. The same number as on Workers.</summary>
    private const int MaxParallel = 6;

    /// <summary>The most bodies open at the same time; each holds a connection.</summary>
    private const int MaxOpen = 32;

    /// <summary>A body of at most this length is returned together with its response.</summary>
    private const int ShortBytes = 64 * 1024;

    // Never disposed, because requests that are being aborted still release it, and it holds no system resource.
    private readonly SemaphoreSlim places = new(MaxParallel);
    private readonly ConcurrentDictionary<int, OutboundExchange> open = new();
    private readonly CancellationTokenSource ended = new();
    private int lastId;

    /// <summary>The Fetch standard's error class for a request that could not be made.</summary>
    protected override string ErrorName => "TypeError";

    /// <inheritdoc/>
    protected override string AbortMessage => "The request was aborted.";

    /// <inheritdoc/>
    public override void Start(GuestOperation operation) => _ = RunElsewhereAsync(operation);

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await ended.CancelAsync().ConfigureAwait(false);
        foreach (var id in open.Keys)
            Close(id);
    }

    /// <inheritdoc/>
    protected override async ValueTask ExecuteAsync(GuestOperation operation, JsonElement arguments)
    {
        switch (operation.Name)
        {
            case "fetch":
                await FetchAsync(operation, FetchArguments.Read(arguments, operation.Payload)).ConfigureAwait(false);
                break;
            case "fetch.read":
                await ReadAsync(operation, StreamOf(arguments)).ConfigureAwait(false);
                break;
            case "fetch.cancel":
                Close(StreamOf(arguments));
                operation.Succeed(default);
                break;
            default:
                throw Unknown(operation);
        }
    }

    private async Task FetchAsync(GuestOperation operation, OutboundRequest request)
    {
        operation.Span?.SetTag("http.request.method", request.Method);
        await places.WaitAsync(operation.Cancellation).ConfigureAwait(false);
        OutboundExchange? exchange = null;
        try
        {
            var function = invocation.Function;
            // The token also applies to the body, until the invocation ends.
            exchange = await http.OpenAsync(request, function.Hosts, function.Admission.OutboundRate, operation.Cancellation)
                .ConfigureAwait(false);
            operation.Span?.SetTag("http.response.status_code", exchange.Head.Status);
            if (exchange.IsShort(ShortBytes))
            {
                using var response = await exchange.ReadToEndAsync().ConfigureAwait(false);
                operation.Succeed(Describe(response.Head, null), response.Body.ToArray());
                return;
            }
            operation.Succeed(Describe(exchange.Head, Keep(exchange)));
            exchange = null;
        }
        finally
        {
            exchange?.Dispose();
            places.Release();
        }
    }

    private int Keep(OutboundExchange exchange)
    {
        if (open.Count >= MaxOpen)
            throw new SidecarException(
                "PGFN5211",
                429,
                $"More than {MaxOpen} responses are open; read or cancel the bodies of some of them first."
            );
        var id = Interlocked.Increment(ref lastId);
        open[id] = exchange;
        // The session may have ended meanwhile, and would not dispose this exchange.
        if (ended.IsCancellationRequested)
            Close(id);
        return id;
    }

    private async Task ReadAsync(GuestOperation operation, int id)
    {
        var chunk = new byte[ShortBytes];
        var read = 0;
        try
        {
            read = await open[id].ReadAsync(chunk).ConfigureAwait(false);
            operation.Succeed(default, chunk.AsMemory(0, read));
        }
        finally
        {
            if (read == 0)
                Close(id);
        }
    }

    private void Close(int id)
    {
        if (open.TryRemove(id, out var exchange))
            exchange.Dispose();
    }

    private static int StreamOf(JsonElement arguments) => arguments.GetProperty("stream"u8).GetInt32();

    private static ReadOnlyMemory<byte> Describe(OutboundHead head, int? stream)
    {
        var json = new ArrayBufferWriter<byte>(512);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        writer.WriteNumber("status"u8, head.Status);
        writer.WriteString("statusText"u8, head.StatusText);
        writer.WriteString("url"u8, head.Url);
        writer.WriteBoolean("redirected"u8, head.Redirected);
        if (stream is { } id)
            writer.WriteNumber("stream"u8, id);
        writer.WriteStartArray("headers"u8);
        foreach (var (name, value) in head.Headers)
        {
            writer.WriteStartArray();
            writer.WriteStringValue(name);
            writer.WriteStringValue(value);
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }
}
