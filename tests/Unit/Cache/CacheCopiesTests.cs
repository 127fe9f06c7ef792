using Functions.PgSidecar.Core.Cache;

namespace Functions.PgSidecar.Tests.Unit.Cache;

/// <summary>Copies of cached values in memory: when one is made, how long it is used, and how much memory all take.</summary>
public sealed class CacheCopiesTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly ManualTime time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly CacheCopies copies;

    public CacheCopiesTests()
    {
        copies = new CacheCopies(time);
        copies.ListeningChanged(true);
    }

    [Fact]
    public void Copy_is_used_while_it_is_as_young_as_the_reader_asks()
    {
        Announce("a");
        Copy("a", "1");
        time.Advance(Minute);

        Assert.Equal("1", Find("a", Minute));
        Assert.Equal("none", Find("a", Minute - TimeSpan.FromMilliseconds(1)));
        Assert.Equal("1", Find("a", TimeSpan.FromDays(1)));
    }

    [Fact]
    public void Absence_is_copied_as_well()
    {
        Announce("a");
        Copy("a", null);
        Assert.Equal("absent", Find("a"));
        Assert.Equal("none", Find("b"));
    }

    [Fact]
    public void Copy_ends_with_its_value_and_after_five_minutes()
    {
        Announce("brief");
        Announce("long");
        Copy("brief", "1", TimeSpan.FromSeconds(10));
        Copy("ended", "1", TimeSpan.Zero);
        Copy("long", "1", TimeSpan.FromDays(1));

        time.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromMilliseconds(1));
        Assert.Equal("1", Find("brief"));
        Assert.Equal("none", Find("ended"));
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal("none", Find("brief"));
        Assert.Equal("1", Find("long", TimeSpan.FromDays(1)));
        time.Advance(CacheCopies.MaxAge);
        Assert.Equal("none", Find("long", TimeSpan.FromDays(1)));
    }

    [Fact]
    public void Nothing_is_copied_until_writers_have_known_of_it_for_two_seconds()
    {
        Copy("a", "not announced");
        Assert.Equal("none", Find("a"));

        Announce("a", TimeSpan.Zero);
        time.Advance(CopiedGroups.Caution - TimeSpan.FromMilliseconds(1));
        Copy("a", "too early");
        Assert.Equal("none", Find("a"));
        time.Advance(TimeSpan.FromMilliseconds(1));
        Copy("a", "1");
        Assert.Equal("1", Find("a"));

        // Another sidecar announced this one before.
        Announce("b", TimeSpan.FromSeconds(2));
        Copy("b", "1");
        Assert.Equal("1", Find("b"));
    }

    [Fact]
    public void Announcement_is_renewed_by_one_reader_at_a_time_before_copies_outlive_it()
    {
        Assert.Equal([CacheKeys.GroupOf("a")], copies.TakeUnannounced("c", ["a", "a"]));
        Assert.Empty(copies.TakeUnannounced("c", ["a"]));
        copies.NotAnnounced("c", [CacheKeys.GroupOf("a")]);
        Assert.NotEmpty(copies.TakeUnannounced("c", ["a"]));
        copies.Announced("c", CacheKeys.GroupOf("a"), time.GetTimestamp(), Minute);

        time.Advance(CopiedGroups.Announcement / 2 - TimeSpan.FromMilliseconds(1));
        Assert.Empty(copies.TakeUnannounced("c", ["a"]));
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.NotEmpty(copies.TakeUnannounced("c", ["a"]));

        // The renewal did not succeed, and a copy could now be used longer than writers know of it.
        time.Advance(TimeSpan.FromMinutes(3));
        Copy("a", "1");
        Assert.Equal("none", Find("a"));
    }

    [Fact]
    public void Change_drops_the_copies_of_its_group_and_what_is_being_read()
    {
        Announce("a");
        Announce("b");
        Copy("a", "1");
        Copy("b", "1");
        var read = copies.Begin("c", ["a"])!;

        copies.Notified($"c {CacheKeys.GroupOf("a")}");
        copies.Store(read, 0, Entry("old"));

        Assert.Equal("none", Find("a"));
        Assert.Equal("1", Find("b"));
        Copy("a", "2");
        Assert.Equal("2", Find("a"));
        copies.Notified("c");
        Assert.Equal("none", Find("a"));
        Assert.Equal("none", Find("b"));
    }

    [Fact]
    public void Write_of_this_sidecar_drops_the_copy_and_what_is_being_read()
    {
        Announce("a");
        Copy("a", "1");
        var read = copies.Begin("c", ["a"])!;
        copies.Forget("c", "a");
        copies.Store(read, 0, Entry("old"));
        Assert.Equal("none", Find("a"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("other")]
    [InlineData("c -1")]
    [InlineData("c 1024")]
    [InlineData("c 99999999999999999999")]
    [InlineData("c x")]
    [InlineData(" ")]
    public void Notification_that_nobody_of_us_sent_changes_nothing(string payload)
    {
        Announce("a");
        Copy("a", "1");
        copies.Notified(payload);
        Assert.Equal("1", Find("a"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Lost_notifications_drop_every_copy_and_what_is_being_read(bool isListeningAgain)
    {
        Announce("a");
        Copy("a", "1");
        var read = copies.Begin("c", ["a"])!;

        copies.ListeningChanged(false);
        if (isListeningAgain)
        {
            copies.ListeningChanged(true);
            Announce("a");
        }
        copies.Store(read, 0, Entry("old"));

        Assert.Equal("none", Find("a"));
        Assert.Equal(0, copies.Bytes);
        Assert.Equal(isListeningAgain, copies.Begin("c", ["a"]) is not null);
    }

    [Fact]
    public void Caches_do_not_share_copies()
    {
        Announce("a");
        Copy("a", "1");
        Assert.False(copies.TryFind("other", "a", Minute, out _));
    }

    [Fact]
    public void Memory_is_limited_and_the_least_recently_used_copies_leave()
    {
        var keys = Enumerable.Range(0, 40).Select(n => "k" + n).ToList();
        foreach (var key in keys)
            Announce(key);
        var value = new string('x', CacheCopies.MaxValueBytes);
        Copy("first", value + "x");
        Assert.Equal(0, copies.Bytes);

        foreach (var key in keys)
        {
            Copy(key, value);
            Find("k0");
        }

        Assert.InRange(copies.Bytes, CacheCopies.MaxBytes - 2 * CacheCopies.MaxValueBytes, CacheCopies.MaxBytes);
        Assert.Equal("none", Find("k1"));
        Assert.Equal(value, Find("k0"));
        Assert.Equal(value, Find("k39"));

        // A copy that is replaced is counted once.
        var before = copies.Bytes;
        Copy("k39", value);
        Assert.Equal(before, copies.Bytes);
    }

    [Fact]
    public void Keys_have_the_same_groups_in_every_sidecar()
    {
        Assert.Equal([288, 594, 754], new[] { "a", "rates", "ä\U0001f600" }.Select(CacheKeys.GroupOf));
    }

    private void Announce(string key, TimeSpan? since = null) =>
        copies.Announced(
            "c",
            (copies.TakeUnannounced("c", [key]) is [var group] ? group : CacheKeys.GroupOf(key)),
            time.GetTimestamp(),
            since ?? Minute
        );

    private void Copy(string key, string? value, TimeSpan? remaining = null) =>
        copies.Store(copies.Begin("c", [key])!, 0, value is null ? null : Entry(value, remaining));

    private static CacheEntry Entry(string value, TimeSpan? remaining = null) =>
        new(System.Text.Encoding.UTF8.GetBytes(value), null, remaining);

    private string Find(string key, TimeSpan? maxAge = null)
    {
        if (!copies.TryFind("c", key, maxAge ?? Minute, out var entry))
            return "none";
        return entry is { } found ? System.Text.Encoding.UTF8.GetString(found.Value) : "absent";
    }
}
