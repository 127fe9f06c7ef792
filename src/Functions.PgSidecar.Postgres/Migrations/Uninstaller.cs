using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>Takes an installation out of its database.</summary>
public static class Uninstaller
{
    /// <summary>What a dropped schema leaves behind: a slot, which keeps WAL for ever, and publications.</summary>
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
        cross join lateral pg_catalog.pg_drop_replication_slot(s.slot_name)
        where s.database = current_database() and not s.active
          and s.slot_name = 'functions_' || (select d.oid from pg_catalog.pg_database d where d.datname = current_database());
        """;

    /// <summary>Uninstalls.</summary>
    /// <param name="dataSource">The owner's.</param>
    /// <param name="options">Those of <c>functions.uninstall</c>, JSON.</param>
    /// <param name="cancellationToken">Rolls everything back.</param>
    /// <returns>What was done, a line each; empty where there was nothing.</returns>
    /// <exception cref="PostgresException">It was refused; the message says why.</exception>
    public static async Task<IReadOnlyList<string>> RunAsync(NpgsqlDataSource dataSource, string options, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var command = new NpgsqlCommand("select to_regnamespace('functions_private') is null", connection) { CommandTimeout = 0 };
        if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true)
        {
            command.CommandText = RemnantsSql;
        }
        else
        {
            command.CommandText = "select functions.uninstall($1)";
            command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Jsonb, Value = options });
        }
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var done = new List<string>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) done.Add(reader.GetString(0));
        return done;
    }
}
