using System.Collections.Frozen;

namespace Functions.PgSidecar.Core.RowChanges.Triggers;

/// <summary>The triggers by id, for delivering their events; includes dropped ones while events of theirs remain.</summary>
internal sealed class TriggerCatalog(TriggerStore store)
{
    private volatile FrozenDictionary<int, TriggerDefinition> triggers = FrozenDictionary<int, TriggerDefinition>.Empty;

    /// <summary>Finds a trigger; null for no id, and for a trigger that was dropped long ago.</summary>
    public TriggerDefinition? Find(int? id) => id is { } number ? triggers.GetValueOrDefault(number) : null;

    /// <summary>Whether a trigger is known.</summary>
    public bool Knows(int id) => triggers.ContainsKey(id);

    /// <summary>Loads all triggers again.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken) =>
        triggers = (await store.LoadForDeliveryAsync(cancellationToken).ConfigureAwait(false)).ToFrozenDictionary(trigger => trigger.Id);
}
