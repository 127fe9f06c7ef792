using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>Removes an installation from its database.</summary>
public static class Uninstaller
{
    /// <summary>Objects that remain after the schema is dropped: a slot, which keeps WAL for ever, and publications.</summary>
    private const string RemnantsSql = """
        do $$
        declare
            one record;
        begin
            for one in select p.pubname from pg_catalog.pg_publication p where p.pubname = 'functions_events' or p.pubname like 'functions\_events\_%' loop
                execute pg_catalog.format('drop publication %I', one.pubname);
            end loop;
        end
        $$;
        select 'dropped replication slot ' || s.slot_name from pg_catalog.pg_replication_slots s
        cross join lateral {0}(s.slot_name)
        where s.database = current_database() and not s.active
          and s.slot_name = 'functions_' || (select d.oid from pg_catalog.pg_database d where d.datname = current_database());
        """;

    /// <summary>Drops the slot: by the routine of the login that reads the WAL, where the owner has no REPLICATION right.</summary>
    private const string DropperSql = $"""
        select case when {ReplicationRight.Condition} or pg_catalog.to_regprocedure('functions_replication.drop_slot(name)') is null
                    then 'pg_catalog.pg_drop_replication_slot' else 'functions_replication.drop_slot' end
        from pg_catalog.pg_roles r where r.rolname = current_user
        """;

    /// <summary>Uninstalls.</summary>
    /// <param name="dataSource">The owner's.</param>
    /// <param name="options">Those of <c>functions.uninstall</c>, JSON.</param>
    /// <param name="cancellationToken">Rolls everything back.</param>
    /// <returns>What was done, one line each; empty if nothing was installed.</returns>
    /// <exception cref="PostgresException">It was refused; the message says why.</exception>
    public static async Task<IReadOnlyList<string>> RunAsync(
        NpgsqlDataSource dataSource,
        string options,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var command = new NpgsqlCommand("select to_regnamespace('functions_private') is null", connection)
        {
            CommandTimeout = 0,
        };
        if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true)
        {
            command.CommandText = DropperSql;
            var dropper = (string)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
            command.CommandText = RemnantsSql.Replace("{0}", dropper, StringComparison.Ordinal);
        }
        else
        {
            command.CommandText = "select functions.uninstall($1)";
            command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = options });
        }
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var done = new List<string>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            done.Add(reader.GetString(0));
        return done;
    }
}
