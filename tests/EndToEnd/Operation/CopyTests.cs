using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Events;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>
/// A database restored from a dump or cloned from another one is recognised. Pending events of the original do not run in it unless
/// requested.
/// </summary>
public sealed class CopyTests
{
    /// <summary>Records where it ran; fails for rows that have to wait.</summary>
    private const string Noting = """
        export async function handler(event) {
            if (event.new.note === 'waits' && event.attempt === 1) throw new Error('not yet');
            await db.query('insert into effects (event_id, attempt, id, found) values ($1, $2, $3, true)', [event.event_id, event.attempt, event.new.id]);
        }
        """;

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Restored_dump_fires_for_its_own_tables_and_holds_pending_events()
    {
        Assert.SkipWhen(
            await (await PostgresServer.GetAsync()).GetVersionAsync() > await DumpedDatabase.ProgramVersionAsync(),
            "pg_dump is older than the server, and refuses it."
        );
        await using var origin = await FaultHarness.CreateAsync(Noting, """{"backoff_ms": 600000, "max_backoff_ms": 600000}""");
        await origin.ExecuteAsync(
            """
            create table before_items (gone int, id int, note text); alter table before_items drop column gone;
            select functions.create_trigger('before', 'noting', 'before_items', '{INSERT}', '{"when": "new.id > 10"}');
            """
        );
        await origin.ExecuteAsync("alter table before_items rename to other_items");
        await origin.ExecuteAsync("insert into items (id, note) values (1, 'waits'); insert into items values (2)");
        await origin.UntilAsync(
            "(select count(*) = 1 from functions.events where status = 'retrying') and (select count(*) = 1 from effects)"
        );
        await origin.UntilAsync("exists (select from functions_private.known_tables where table_name = 'other_items')");
        await using var server = await PrivateServer.StartAsync();
        // Other oids, an older WAL position, and none of the roles.
        await server.ExecuteAsync("create table in_the_way (id int)");
        await DumpedDatabase.RestoreAsync(origin.ConnectionString, server.ConnectionString);

        await using var sidecar = await SidecarProcess.StartAsync(server.SidecarConnectionString);
        await using var copy = NpgsqlDataSource.Create(server.ConnectionString);
        Assert.Contains("This database is a copy", sidecar.Log);
        Assert.Contains("The roles anon, authenticated and service_role have been made", sidecar.Log);
        Assert.Contains("1 events that waited in the database that this one was copied from are held", sidecar.Log);
        Assert.Equal(
            "before public.other_items, items public.items",
            await ScalarAsync<string>(copy, "select string_agg(name || ' ' || \"table\", ', ' order by name) from functions.triggers")
        );

        const string Keys = "select string_agg(encode(signing_key, 'hex'), ' ' order by name) from functions_private.buckets";
        Assert.NotEqual(await ScalarAsync<string>(origin.Owner, Keys), await ScalarAsync<string>(copy, Keys));

        await ExecuteAsync(
            copy,
            "grant all on items, effects to service_role; grant usage on effects_n_seq to service_role; insert into items values (10); insert into other_items values (9), (11)"
        );
        await Eventually.HoldsAsync(() => ScalarAsync<bool>(copy, "select count(*) = 2 from effects where id >= 10"));
        Assert.Equal("held", await ScalarAsync<string>(copy, "select status from functions.events where payload -> 'new' ->> 'id' = '1'"));
        Assert.Equal(1, await ScalarAsync<long>(copy, "select events_held from functions.replication where copied_from is not null"));
        using (var http = new HttpClient { BaseAddress = sidecar.Url })
            Assert.Equal("{\"status\":\"ready\",\"held_events\":1}", await EventuallyReadyAsync(http));

        Assert.Equal(1, await ScalarAsync<long>(copy, "select functions.adopt('deliver')"));
        await Eventually.HoldsAsync(() =>
            ScalarAsync<bool>(copy, "select status = 'retrying' from functions.events where payload -> 'new' ->> 'id' = '1'")
        );
        // A second start finds an installation of its own.
        await using var second = await SidecarProcess.StartAsync(server.SidecarConnectionString);
        Assert.DoesNotContain("is a copy", second.Log);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Cloned_database_holds_pending_events_or_applies_PGFN_ON_RESTORE()
    {
        await using var origin = await FaultHarness.CreateAsync(Noting);
        await origin.ExecuteAsync("select functions.disable('noting')");
        await origin.InsertAsync(1, 3);
        await origin.UntilAsync("(select count(*) = 3 from functions_private.deliveries where claimed_by is null)");
        origin.First.Terminate();
        await origin.First.WaitForExitAsync();
        var name = new NpgsqlConnectionStringBuilder(origin.ConnectionString).Database!;
        var server = await PostgresServer.GetAsync();
        await origin.ExecuteAsync(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        );
        origin.Owner.Clear();
        await server.ExecuteAsync($"create database \"{name}_held\" template \"{name}\"");
        await server.ExecuteAsync($"create database \"{name}_gone\" template \"{name}\"");
        foreach (var (copy, setting, held) in new[] { ("held", "hold", 3L), ("gone", "discard", 0L) })
        {
            await using var source = NpgsqlDataSource.Create(server.ConnectionStringTo($"{name}_{copy}"));
            await using (
                var sidecar = await SidecarProcess.StartAsync(server.ConnectionStringTo($"{name}_{copy}"), ("PGFN_ON_RESTORE", setting))
            )
            {
                Assert.Contains("This database is a copy", sidecar.Log);
                Assert.Equal(held, await ScalarAsync<long>(source, "select events_held from functions.replication"));
                await ExecuteAsync(source, "select functions.enable('noting'); insert into items values (20)");
                await Eventually.HoldsAsync(() => ScalarAsync<bool>(source, "select array_agg(id) = '{20}' from effects"));
            }
            if (held > 0)
                Assert.Equal(held, await ScalarAsync<long>(source, "select functions.adopt('discard')"));
            Assert.Equal(
                0,
                await ScalarAsync<long>(source, "select events_held + events_pending + events_running from functions.replication")
            );
            await ExecuteAsync(source, """select functions.uninstall('{"cascade": true}')""");
        }
    }

    private static async Task<string> EventuallyReadyAsync(HttpClient http)
    {
        var text = "";
        await Eventually.HoldsAsync(async () =>
            (text = await http.GetStringAsync("/health/ready")).Contains("held", StringComparison.Ordinal)
        );
        return text;
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<T> ScalarAsync<T>(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is T value ? value : default!;
    }
}
