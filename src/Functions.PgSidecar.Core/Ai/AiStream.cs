using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>
/// An answer that is still arriving. Its first update has arrived, so everything that fails before the answer begins has been thrown by
/// <see cref="AiGateway.StreamAsync"/>. Enumerate it once, and dispose it: that ends the request to the provider.
/// </summary>
internal abstract class AiStream : IAsyncEnumerable<ChatResponseUpdate>, IAsyncDisposable
{
    /// <summary>The provider and the model; after the last update also the usage and the cost.</summary>
    public abstract AiCallInfo Call { get; }

    /// <summary>The updates.</summary>
    /// <exception cref="SidecarException">PGFN5107: the provider ended the stream early. PGFN5106: it took too long.</exception>
    public abstract IAsyncEnumerator<ChatResponseUpdate> GetAsyncEnumerator(CancellationToken cancellationToken = default);

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();
}
