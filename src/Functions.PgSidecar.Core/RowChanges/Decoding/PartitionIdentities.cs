namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>
/// Tracks which partitions do not send complete old rows. The server describes a partition immediately after its root, before the
/// partition's first change and whenever its definition has changed. The changes themselves name only the root.
/// </summary>
internal sealed class PartitionIdentities
{
    private readonly Dictionary<uint, Dictionary<uint, PublishedRelation>> partial = [];
    private PublishedRelation? previous;

    /// <summary>A change was read, so the next description does not follow its root.</summary>
    public void ChangeRead() => previous = null;

    /// <summary>A table was described.</summary>
    /// <param name="relation">The table; its <see cref="PublishedRelation.PartialKeys"/> are set.</param>
    /// <param name="relations">All known relations.</param>
    public void Describe(PublishedRelation relation, Dictionary<uint, PublishedRelation> relations)
    {
        SetKeys(relation);
        var root = previous;
        previous = relation;
        if (root is null || root.Oid == relation.Oid)
            return;
        previous = null;
        if (!partial.TryGetValue(root.Oid, out var partitions))
            partial[root.Oid] = partitions = [];
        if (relation.HasFullIdentity)
            partitions.Remove(relation.Oid);
        else
            partitions[relation.Oid] = relation;
        SetKeys(relations[root.Oid]);
    }

    private void SetKeys(PublishedRelation root)
    {
        if (!partial.TryGetValue(root.Oid, out var partitions) || partitions.Count == 0)
        {
            root.PartialKeys = [];
            return;
        }
        var keys = partitions.Values.Select(partition =>
            root.Columns.Select(column => partition.Columns.Any(other => other.IsKey && other.Name == column.Name)).ToArray()
        );
        root.PartialKeys = [.. keys.DistinctBy(key => string.Concat(key.Select(one => one ? '1' : '0')))];
    }
}
