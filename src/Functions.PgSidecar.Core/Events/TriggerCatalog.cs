using System.Collections.Frozen;
using Functions.PgSidecar.Postgres.Events;

namespace Functions.PgSidecar.Core.Events;

/// <summary>The triggers by number, for those who deliver their events; dropped ones too while there are any.</summary>
internal sealed class TriggerCatalog(TriggerStore store)
{
    private volatile FrozenDictionary<int, TriggerDefinition> triggers = FrozenDictionary<int, TriggerDefinition>.Empty;

    /// <summary>A trigger; null for none, and for one that was dropped long since.</summary>
    public TriggerDefinition? Find(int? id) => id is { } number ? triggers.GetValueOrDefault(number) : null;

    /// <summary>Whether a trigger is known.</summary>
    public bool Knows(int id) => triggers.ContainsKey(id);

    /// <summary>Loads them all anew.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken) =>
        triggers = (await store.LoadForDeliveryAsync(cancellationToken).ConfigureAwait(false)).ToFrozenDictionary(trigger => trigger.Id);
}
