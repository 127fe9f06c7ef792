using System.Collections.Concurrent;
using Functions.PgSidecar.Core.Ai.Definitions;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>The clients of the providers. One lives as long as its provider's definition, with its connections and its breaker.</summary>
internal sealed class AiProviderClients(TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<string, AiProviderClient> clients = new(StringComparer.Ordinal);

    /// <summary>The client of a provider.</summary>
    public AiProviderClient For(AiProvider provider)
    {
        if (clients.TryGetValue(provider.Name, out var client) && client.Provider.UpdatedAt == provider.UpdatedAt)
            return client;
        // A replaced client is not disposed: calls in progress use its connections, which close by themselves when they are idle.
        return clients.AddOrUpdate(
            provider.Name,
            _ => new AiProviderClient(provider, time),
            (_, known) => known.Provider.UpdatedAt >= provider.UpdatedAt ? known : new AiProviderClient(provider, time)
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var client in clients.Values)
            client.Dispose();
    }
}
