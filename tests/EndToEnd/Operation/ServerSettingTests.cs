using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>Settings of the database for the application do not affect the sidecar's own statements.</summary>
public sealed class ServerSettingTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Timeouts_and_defaults_of_the_database_do_not_affect_the_sidecars_statements()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        // What the tests themselves do is spared, as the sidecar's statements have to spare themselves.
        var own = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Options =
                "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0 "
                + "-c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed -c search_path=public",
            Pooling = false,
        };
        await using var source = NpgsqlDataSource.Create(own);
        await ExecuteAsync(
            source,
            $"""
            create schema evil;
            create function evil.now() returns timestamptz language plpgsql as $f$ begin raise exception 'evil.now() was called'; end $f$;
            create function evil.count() returns bigint language plpgsql as $f$ begin raise exception 'evil.count() was called'; end $f$;
            create table items (id int primary key);
            alter database "{database.Name}" set statement_timeout = '1ms';
            alter database "{database.Name}" set lock_timeout = '1ms';
            alter database "{database.Name}" set idle_in_transaction_session_timeout = '1ms';
            alter database "{database.Name}" set idle_session_timeout = '50ms';
            alter database "{database.Name}" set default_transaction_read_only = on;
            alter database "{database.Name}" set default_transaction_isolation = 'serializable';
            alter database "{database.Name}" set search_path = evil, pg_catalog;
            """
        );

        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        await ExecuteAsync(
            source,
            "select functions.deploy('reading', 'export const handler = async () => (await db.query(''select pg_sleep(0.3), count(*) from public.items''))[0];')"
        );
        await ExecuteAsync(source, "call functions.wait_ready('reading', timeout => '2 minutes')");
        await ExecuteAsync(source, "grant select on items to service_role");
        await ExecuteAsync(source, "select functions.create_trigger('items', 'reading', 'items')");
        for (var id = 1; id <= 3; id++)
        {
            await ExecuteAsync(source, $"insert into items values ({id})");
            await Eventually.HoldsAsync(() =>
                ScalarAsync<bool>(source, $"select count(*) = {id} from functions.events where status = 'done'")
            );
        }
        Assert.Equal(0, await ScalarAsync<long>(source, "select count(*) from functions.invocations where status <> 'succeeded'"));
        // Except for the warning about the superuser of the tests.
        Assert.DoesNotContain(sidecar.Log.Split('\n'), line =>
            !line.Contains(" info: ", StringComparison.Ordinal) && !line.Contains("pgfn[1004]", StringComparison.Ordinal)
        );
        sidecar.Terminate();
        Assert.Equal(0, await sidecar.WaitForExitAsync());
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        command.CommandTimeout = 120;
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<T> ScalarAsync<T>(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }
}
