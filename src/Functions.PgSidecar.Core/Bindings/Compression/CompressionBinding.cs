using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Bindings.Compression;

/// <summary>
/// The operations <c>compression.open</c>, <c>.write</c>, <c>.end</c>, <c>.read</c> and <c>.close</c>: behind CompressionStream and
/// DecompressionStream.
/// </summary>
internal sealed class CompressionBinding : IBinding
{
    /// <inheritdoc/>
    public string Name => "compression";

    /// <inheritdoc/>
    public IBindingSession Open(Invocation invocation) => new CompressionSession();
}

/// <summary>The codecs of one invocation.</summary>
internal sealed class CompressionSession : IBindingSession
{
    /// <summary>Codecs an invocation may have open at once; each takes up to 300 KB of the host's memory.</summary>
    private const int MaxOpen = 16;

    private readonly Lock gate = new();
    private readonly Dictionary<int, Codec> codecs = [];
    private int lastId;

    /// <inheritdoc/>
    public void Start(GuestOperation operation) => _ = RunAsync(operation);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        lock (gate)
        {
            foreach (var codec in codecs.Values)
                codec.Dispose();
            codecs.Clear();
        }
        return ValueTask.CompletedTask;
    }

    private async Task RunAsync(GuestOperation operation)
    {
        // Nothing is compressed on the sandbox's thread.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            using var arguments = JsonDocument.Parse(operation.Arguments);
            await ExecuteAsync(operation, arguments.RootElement).ConfigureAwait(false);
        }
        catch (InvalidDataException e)
        {
            operation.Fail("TypeError", e.Message);
        }
        catch (SidecarException e)
        {
            operation.Fail("Error", e.Message, e.Code);
        }
        catch (OperationCanceledException)
        {
            operation.Fail("AbortError", "The stream was closed.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            operation.Fail("TypeError", $"{operation.Name} was called with arguments that it can't read.", "PGFN5400");
        }
    }

    private async Task ExecuteAsync(GuestOperation operation, JsonElement arguments)
    {
        if (operation.Name == "compression.open")
        {
            var id = Open(arguments.GetProperty("format"u8).GetString()!, arguments.GetProperty("compress"u8).GetBoolean());
            operation.Succeed(Encoding.UTF8.GetBytes($"{{\"id\":{id}}}"));
            return;
        }
        var codec = Find(arguments.GetProperty("id"u8).GetInt32(), remove: operation.Name == "compression.close");
        switch (operation.Name)
        {
            case "compression.write":
                await codec.WriteAsync(operation.Payload, operation.Cancellation).ConfigureAwait(false);
                break;
            case "compression.end":
                codec.End();
                break;
            case "compression.read":
                operation.Succeed(default, await codec.ReadAsync(operation.ComputeAsync, operation.Cancellation).ConfigureAwait(false));
                return;
            case "compression.close":
                codec.Dispose();
                break;
            default:
                throw new FormatException(operation.Name);
        }
        operation.Succeed(default);
    }

    private int Open(string format, bool compresses)
    {
        lock (gate)
        {
            if (codecs.Count >= MaxOpen)
                throw new SidecarException("PGFN5601", 429, $"More than {MaxOpen} compression streams are open; read or cancel some of them first.");
            codecs.Add(++lastId, new Codec(format, compresses));
            return lastId;
        }
    }

    private Codec Find(int id, bool remove)
    {
        lock (gate)
        {
            var codec = codecs[id];
            if (remove)
                codecs.Remove(id);
            return codec;
        }
    }
}
