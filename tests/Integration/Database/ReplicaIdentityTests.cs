using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>A publication FOR ALL TABLES, which users may create, does not make the sidecar's own UPDATEs and DELETEs fail.</summary>
public sealed class ReplicaIdentityTests
{
    [Fact]
    public async Task Own_tables_can_be_written_while_all_tables_are_published()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            "create publication everything for all tables; select functions_private.make_partition(p, '2020-01-01') from unnest('{events,logs,invocations}'::text[]) p"
        );

        var tables = await ReadAsync(
            database,
            """
            select c.oid::regclass || ' ' || quote_ident(a.attname) from pg_class c
            cross join lateral (select attname from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped and attidentity <> 'a' and attgenerated = '' limit 1) a
            where c.relnamespace = 'functions_private'::regnamespace and c.relkind in ('r', 'p') order by 1
            """
        );
        Assert.Contains(tables, table => table.StartsWith("functions_private.logs_20200101 ", StringComparison.Ordinal));
        var refused = new List<string>();
        foreach (var (table, column) in tables.Select(line => (line.Split(' ')[0], line.Split(' ')[1])))
        {
            foreach (var sql in (string[])[$"delete from {table} where false", $"update {table} set {column} = {column} where false"])
            {
                try
                {
                    await database.ExecuteAsync(sql);
                }
                catch (PostgresException e)
                {
                    refused.Add(e.MessageText);
                }
            }
        }
        Assert.Empty(refused);
    }

    private static async Task<List<string>> ReadAsync(TestDatabase database, string sql)
    {
        await using var command = database.Owner.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var lines = new List<string>();
        while (await reader.ReadAsync())
            lines.Add(reader.GetString(0));
        return lines;
    }
}
