using Functions.PgSidecar.Core.Events;

namespace Functions.PgSidecar.Tests.Unit.Replication;

/// <summary>The ids of row change events.</summary>
public sealed class EventIdTests
{
    [Fact]
    public void Same_change_has_the_same_id_and_another_change_has_another()
    {
        var id = EventId.Create(0x16_B374_D848, 3, 7);
        Assert.Equal(id, EventId.Create(0x16_B374_D848, 3, 7));
        Assert.Equal(
            4,
            new HashSet<Guid>
            {
                id,
                EventId.Create(0x16_B374_D849, 3, 7),
                EventId.Create(0x16_B374_D848, 4, 7),
                EventId.Create(0x16_B374_D848, 3, 8),
            }.Count
        );
    }

    [Fact]
    public void Event_id_is_a_version_8_UUID_that_contains_its_commit()
    {
        foreach (var lsn in new ulong[] { 0, 0xfff, 0x1000, 0x0fff_ffff_ffff_ffff })
        {
            var id = EventId.Create(lsn, long.MaxValue >> 26, 0xff_ffff);
            Assert.Equal(lsn, EventId.CommitLsn(id));
            var text = id.ToString();
            Assert.Equal('8', text[14]);
            Assert.Contains(text[19], "89ab");
        }
    }

    /// <summary>PostgreSQL compares uuids byte by byte, as their texts compare.</summary>
    [Fact]
    public void Ids_sort_by_commit_then_by_place_then_by_trigger()
    {
        (ulong Lsn, long Ordinal, int Trigger)[] ascending =
        [
            (0xfff, 9, 9),
            (0x1000, 1, 1),
            (0x1000, 1, 2),
            (0x1000, 2, 1),
            (0x1000, 300_000_000, 1),
            (0x1001, 1, 1),
            (0x1_0000_0000, 1, 1),
            (0xffff_ffff_ffff, 1, 1),
        ];
        var ids = ascending.Select(change => EventId.Create(change.Lsn, change.Ordinal, change.Trigger).ToString()).ToList();
        Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
    }
}
