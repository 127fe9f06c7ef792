using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Json;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>Outgoing requests of one invocation, and the responses whose bodies it has not read to their end.</summary>
internal sealed class FetchSession(OutboundHttp http, Invocation invocation) : IBindingSession
{
    /// <summary>Requests of one invocation that are on their way at the same time; the others wait. Workers' number.</summary>
    private const int MaxParallel = 6;

    /// <summary>Bodies that are open at the same time; each holds a connection.</summary>
    private const int MaxOpen = 32;

    /// <summary>A body of at most this length comes with its response.</summary>
    private const int ShortBytes = 64 * 1024;

    // Never disposed: requests that are being aborted still give their places back, and it holds nothing of the system's.
    private readonly SemaphoreSlim places = new(MaxParallel);
    private readonly ConcurrentDictionary<int, OutboundExchange> open = new();
    private readonly CancellationTokenSource ended = new();
    private int lastId;

    public void Start(GuestOperation operation) => _ = RunAsync(operation);

    public async ValueTask DisposeAsync()
    {
        await ended.CancelAsync().ConfigureAwait(false);
        foreach (var id in open.Keys)
            Close(id);
    }

    private async Task RunAsync(GuestOperation operation)
    {
        // Nothing of the request is worked out on the sandbox's thread.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            await (operation.Name switch
            {
                "fetch" => FetchAsync(operation),
                "fetch.read" => ReadAsync(operation, StreamOf(operation)),
                "fetch.cancel" => CancelAsync(operation, StreamOf(operation)),
                _ => throw new FormatException(operation.Name),
            }).ConfigureAwait(false);
        }
        catch (SidecarException e)
        {
            // The standard's word for a request that could not be made.
            operation.Fail("TypeError", e.Message, e.Code);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            operation.Fail("AbortError", "The request was aborted.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            operation.Fail("TypeError", "fetch was called with arguments that describe no request.", "PGFN5201");
        }
    }

    private async Task FetchAsync(GuestOperation operation)
    {
        await places.WaitAsync(operation.Cancellation).ConfigureAwait(false);
        OutboundExchange? exchange = null;
        try
        {
            var function = invocation.Function;
            // The token goes on to hold for the body: until the invocation's end.
            exchange = await http.OpenAsync(
                FetchArguments.Read(operation), function.Hosts, function.Admission.OutboundRate, operation.Cancellation).ConfigureAwait(false);
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
            throw new SidecarException("PGFN5211", 429, $"More than {MaxOpen} responses are open; read or cancel the bodies of some of them first.");
        var id = Interlocked.Increment(ref lastId);
        open[id] = exchange;
        // The session may have ended meanwhile, and looks no further.
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

    private Task CancelAsync(GuestOperation operation, int id)
    {
        Close(id);
        operation.Succeed(default);
        return Task.CompletedTask;
    }

    private void Close(int id)
    {
        if (open.TryRemove(id, out var exchange))
            exchange.Dispose();
    }

    private static int StreamOf(GuestOperation operation)
    {
        using var arguments = JsonDocument.Parse(operation.Arguments);
        return arguments.RootElement.GetProperty("stream"u8).GetInt32();
    }

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
