using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Compression;

/// <summary>
/// The operations <c>compression.open</c>, <c>.write</c>, <c>.end</c>, <c>.read</c> and <c>.close</c>: behind CompressionStream and
/// DecompressionStream.
/// </summary>
internal sealed class CompressionBinding : IBinding
{
    /// <inheritdoc/>
    public string Name => "compression";

    /// <inheritdoc/>
    public BindingSession Open(Invocation invocation) => new CompressionSession();
}

/// <summary>The codecs of one invocation.</summary>
internal sealed class CompressionSession : BindingSession
{
    /// <summary>The most codecs that an invocation may have open at once; each takes up to 300 KB of the host's memory.</summary>
    private const int MaxOpen = 16;

    private readonly Lock gate = new();
    private readonly Dictionary<int, Codec> codecs = [];
    private int lastId;

    /// <inheritdoc/>
    protected override string AbortMessage => "The stream was closed.";

    /// <inheritdoc/>
    public override void Start(GuestOperation operation) => _ = RunElsewhereAsync(operation);

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        lock (gate)
        {
            foreach (var codec in codecs.Values)
                codec.Dispose();
            codecs.Clear();
        }
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    protected override async ValueTask ExecuteAsync(GuestOperation operation, JsonElement arguments)
    {
        switch (operation.Name)
        {
            case "compression.open":
                var id = Open(arguments.GetProperty("format"u8).GetString()!, arguments.GetProperty("compress"u8).GetBoolean());
                operation.Succeed(Encoding.UTF8.GetBytes($"{{\"id\":{id}}}"));
                return;
            case "compression.write":
                await Find(arguments).WriteAsync(operation.Payload, operation.Cancellation).ConfigureAwait(false);
                break;
            case "compression.end":
                Find(arguments).End();
                break;
            case "compression.read":
                operation.Succeed(
                    default,
                    await Find(arguments).ReadAsync(operation.ComputeAsync, operation.Cancellation).ConfigureAwait(false)
                );
                return;
            case "compression.close":
                Find(arguments, remove: true).Dispose();
                break;
            default:
                throw Unknown(operation);
        }
        operation.Succeed(default);
    }

    /// <inheritdoc/>
    protected override bool TryFail(GuestOperation operation, Exception failure)
    {
        if (failure is not InvalidDataException)
            return false;
        operation.Fail("TypeError", failure.Message);
        return true;
    }

    private int Open(string format, bool compresses)
    {
        lock (gate)
        {
            if (codecs.Count >= MaxOpen)
                throw new SidecarException(
                    "PGFN5601",
                    429,
                    $"More than {MaxOpen} compression streams are open; read or cancel some of them first."
                );
            codecs.Add(++lastId, new Codec(format, compresses));
            return lastId;
        }
    }

    private Codec Find(JsonElement arguments, bool remove = false)
    {
        var id = arguments.GetProperty("id"u8).GetInt32();
        lock (gate)
        {
            var codec = codecs[id];
            if (remove)
                codecs.Remove(id);
            return codec;
        }
    }
}
