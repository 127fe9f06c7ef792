using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Database;

public sealed class InvocationLogStoreTests
{
    [Fact]
    public async Task Log_entries_are_read_back_unchanged_even_with_characters_text_cannot_hold()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new InvocationLogStore(database.Owner);
        var now = DateTimeOffset.UtcNow;
        var id = Guid.NewGuid();

        await store.WriteAsync(
            [
                Invocation(id, now) with
                {
                    ErrorCode = "FUNCTION_ERROR",
                    ErrorMessage = "a\0b\ud800",
                    Status = "threw",
                },
                Invocation(Guid.NewGuid(), now) with
                {
                    Version = null,
                    UserId = null,
                    Role = null,
                    RequestId = null,
                    TraceId = null,
                },
            ],
            [new LogRecord(id, "f", 0, "info", "function:f", "one", now), new LogRecord(id, "f", 1, "error", "function:f", "two\0", now)],
            CancellationToken.None
        );

        Assert.Equal(
            "a\ufffdb\ufffd",
            await database.ScalarAsync<string>($"select error_message from functions.invocations where id = '{id}'")
        );
        Assert.Equal(
            "one,two\ufffd",
            await database.ScalarAsync<string>(
                $"select string_agg(message, ',' order by seq) from functions.logs where invocation_id = '{id}'"
            )
        );
        Assert.Equal(
            "12.500 1.250 0.750 4096 user authenticated",
            await database.ScalarAsync<string>(
                $"select concat_ws(' ', duration_ms, queue_ms, cpu_ms, memory_peak, user_id, role) from functions.invocations where id = '{id}'"
            )
        );
        Assert.Equal(2, await database.ScalarAsync<long>("select count(*) from functions.invocations"));
    }

    [Fact]
    public async Task Missing_partitions_of_a_batch_are_created()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new InvocationLogStore(database.Owner);
        var late = DateTimeOffset.UtcNow.AddDays(-20);
        var id = Guid.NewGuid();

        await store.WriteAsync(
            [Invocation(id, late), Invocation(id, late.AddDays(40))],
            [new LogRecord(id, "f", 0, "info", "s", "m", late.AddDays(1))],
            CancellationToken.None
        );

        Assert.Equal(2, await database.ScalarAsync<long>("select count(*) from functions.invocations"));
        Assert.Equal(1, await database.ScalarAsync<long>("select count(*) from functions.logs"));
    }

    [Fact]
    public async Task Maintenance_creates_future_partitions_and_drops_expired_ones()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new InvocationLogStore(database.Owner);
        await database.ExecuteAsync(
            "drop table "
                + await database.ScalarAsync<string>(
                    "select string_agg(inhrelid::regclass::text, ', ') from pg_inherits where inhparent in ('functions_private.invocations'::regclass, 'functions_private.logs'::regclass)"
                )
        );
        var old = DateTimeOffset.UtcNow.AddDays(-9);
        await store.WriteAsync([Invocation(Guid.NewGuid(), old), Invocation(Guid.NewGuid(), old.AddDays(3))], [], CancellationToken.None);

        var changes = await Task.WhenAll(
            Enumerable.Range(0, 3).Select(_ => store.MaintainPartitionsAsync(TimeSpan.FromDays(7), CancellationToken.None))
        );

        Assert.Equal(11, changes.Sum()); // five days of two tables, one partition dropped
        Assert.Equal(1, await database.ScalarAsync<long>("select count(*) from functions.invocations"));
        Assert.Equal(0, await store.MaintainPartitionsAsync(TimeSpan.FromDays(7), CancellationToken.None));
    }

    [Fact]
    public async Task Stats_cover_the_last_day()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("select functions.deploy('f', 'x'), functions.deploy('idle', 'x')");
        var now = DateTimeOffset.UtcNow;
        await new InvocationLogStore(database.Owner).WriteAsync(
            [
                .. Enumerable
                    .Range(1, 4)
                    .Select(i =>
                        Invocation(Guid.NewGuid(), now) with
                        {
                            Duration = TimeSpan.FromMilliseconds(i * 10),
                            Status = i == 4 ? "timed_out" : "succeeded",
                        }
                    ),
            ],
            [],
            CancellationToken.None
        );

        Assert.Equal(
            "4 1 25.000",
            await database.ScalarAsync<string>(
                "select concat_ws(' ', invocations, errors, p50_ms) from functions.stats where function = 'f'"
            )
        );
        Assert.Equal(
            "0 0",
            await database.ScalarAsync<string>(
                "select concat_ws(' ', invocations, errors, p50_ms) from functions.stats where function = 'idle'"
            )
        );
    }

    private static InvocationRecord Invocation(Guid id, DateTimeOffset at) =>
        new(
            id,
            "f",
            1,
            "http",
            "succeeded",
            null,
            null,
            at,
            TimeSpan.FromMilliseconds(12.5),
            TimeSpan.FromMilliseconds(1.25),
            TimeSpan.FromMilliseconds(0.75),
            4096,
            "user",
            "authenticated",
            "request",
            "trace"
        );
}
