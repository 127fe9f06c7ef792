using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Functions.PgSidecar.Postgres.Results;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>A database in which conditions are evaluated for rows, as the reader of the WAL does.</summary>
internal sealed class ConditionHarness : IAsyncDisposable
{
    private readonly NpgsqlDataSource impatient;

    private ConditionHarness(TestDatabase database, int timeout)
    {
        Database = database;
        impatient = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(database.ConnectionString) { CommandTimeout = timeout }.ConnectionString
        );
        Evaluator = new ConditionEvaluator(impatient, TestDatabase.RoleKey);
    }

    public TestDatabase Database { get; }

    public ConditionEvaluator Evaluator { get; }

    /// <summary>A database with a schema <c>app</c> whose function <c>app.evil</c> fails and names the role that it ran as.</summary>
    /// <param name="timeout">The timeout of an evaluation, in seconds.</param>
    public static async Task<ConditionHarness> CreateAsync(int timeout = 30)
    {
        var harness = new ConditionHarness(await TestDatabase.CreateAsync(), timeout);
        await harness.Database.ExecuteAsync(
            """
            create schema app;
            grant usage on schema app to public;
            create function app.evil() returns boolean language plpgsql as
                $$ begin raise exception 'ran as %, %, in %', current_user, session_user, current_setting('transaction_read_only'); end $$;
            """
        );
        return harness;
    }

    /// <summary>Checks a condition as create_trigger does.</summary>
    public Task ValidateAsync(string table, string condition) =>
        Database.ExecuteAsync($"select functions_private.validate_condition('when', {Literal(condition)}, '{table}', 'new.x > 1')");

    public async Task<PostgresException> RefusedAsync(string table, string condition) =>
        await Assert.ThrowsAsync<PostgresException>(() => ValidateAsync(table, condition));

    /// <summary>Evaluates the condition for a new row of the table, given as texts by column.</summary>
    public async Task<bool> AskAsync(string table, string condition, params (string Column, string Value)[] row)
    {
        var relation = await DescribeAsync(table);
        var names = relation.Columns.Select(column => (string?)column.Name).ToList();
        var question = ConditionQuestion.OfTrigger(relation, condition, ColumnPlaces.Find(relation.Columns, relation.Catalog, names));
        var texts = JsonSerializer.Serialize(
            row.ToDictionary(one => names.IndexOf(one.Column).ToString(System.Globalization.CultureInfo.InvariantCulture), one => one.Value)
        );
        return (await Evaluator.AskAsync(question, [default], [Encoding.UTF8.GetBytes(texts)], CancellationToken.None))[0];
    }

    public async Task<string> FailsAsync(string table, string condition, params (string Column, string Value)[] row) =>
        (await Assert.ThrowsAsync<ConditionFailedException>(() => AskAsync(table, condition, row))).Message;

    /// <summary>The table as the replication stream would describe it now.</summary>
    public async Task<PublishedRelation> DescribeAsync(string table)
    {
        var columns = new List<PublishedColumn>();
        await using (
            var command = Database.Owner.CreateCommand(
                $"select attname::text, atttypid from pg_attribute where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped order by attnum"
            )
        )
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
                columns.Add(
                    new PublishedColumn(reader.GetString(0), JsonEncodedText.Encode(reader.GetString(0)), PostgresType.Unknown, false)
                    {
                        TypeOid = reader.GetFieldValue<uint>(1),
                    }
                );
        }
        var oid = await Database.ScalarAsync<uint>($"select '{table}'::regclass::oid");
        return new PublishedRelation(oid, "public", table, 'f', [.. columns])
        {
            Catalog = await new TableCatalog(Database.Owner).GetAsync(
                oid,
                [.. columns.Select(column => column.TypeOid)],
                CancellationToken.None
            ),
        };
    }

    public async ValueTask DisposeAsync()
    {
        await Evaluator.DisposeAsync();
        await impatient.DisposeAsync();
        await Database.DisposeAsync();
    }

    private static string Literal(string text) => "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";
}
