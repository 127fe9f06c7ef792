using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Replication;
using Functions.PgSidecar.Postgres.Results;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Events;

/// <summary>What came of a backfill.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Trigger">The trigger's name.</param>
/// <param name="Rows">How many events were stored.</param>
/// <param name="Error">Why none were; null: they were.</param>
public sealed record BackfillResult(long Id, string Trigger, long Rows, string? Error);

/// <summary>
/// Does the backfills that were asked for (<c>functions.backfill</c>): stores an INSERT event for every row that is there. One backfill is one
/// transaction: all of it is stored, or it is done again from the beginning.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="triggers">Where the definitions come from.</param>
/// <param name="evaluator">Evaluates conditions.</param>
/// <param name="sidecar">This sidecar.</param>
public sealed class Backfill(NpgsqlDataSource dataSource, TriggerStore triggers, ConditionEvaluator evaluator, Guid sidecar)
{
    private const int BatchRows = 1000;
    private const int BatchBytes = 1 << 20;

    private readonly TypeCatalog types = new(dataSource);
    private readonly TableCatalog tables = new(dataSource);
    private readonly ConditionFilter conditions = new(evaluator);

    /// <summary>Does the oldest one that nobody is at.</summary>
    /// <returns>Null: there is none.</returns>
    public async Task<BackfillResult?> RunNextAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        if (await TakeAsync(connection, cancellationToken).ConfigureAwait(false) is not { } task) return null;
        var definition = (await triggers.LoadAsync(cancellationToken).ConfigureAwait(false)).FirstOrDefault(trigger => trigger.Id == task.Trigger);
        if (definition is null) return null; // dropped in this instant, and the backfill with it

        await transaction.SaveAsync("rows", cancellationToken).ConfigureAwait(false);
        BackfillResult result;
        try
        {
            result = new BackfillResult(task.Id, definition.Name, await StoreRowsAsync(connection, task, definition, cancellationToken).ConfigureAwait(false), null);
        }
        catch (PostgresException exception) when (!exception.IsTransient)
        {
            await transaction.RollbackAsync("rows", cancellationToken).ConfigureAwait(false);
            result = new BackfillResult(task.Id, definition.Name, 0, exception.MessageText);
        }
        catch (ConditionFailedException exception)
        {
            await transaction.RollbackAsync("rows", cancellationToken).ConfigureAwait(false);
            result = new BackfillResult(task.Id, definition.Name, 0, exception.Message);
        }
        catch (UnreadableChangeException exception)
        {
            await transaction.RollbackAsync("rows", cancellationToken).ConfigureAwait(false);
            result = new BackfillResult(task.Id, definition.Name, 0, $"A row can't be told as an event: {exception.Message} Leave it out with where_clause.");
        }
        await FinishAsync(connection, result, cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return result;
    }

    private readonly record struct BackfillTask(long Id, int Trigger, string? Where);

    private static async Task<BackfillTask?> TakeAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("""
            select id, trigger_id, where_clause from functions_private.backfills
            where status = 'pending' order by id limit 1 for update skip locked
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? new BackfillTask(reader.GetInt64(0), reader.GetInt32(1), reader.IsDBNull(2) ? null : reader.GetString(2))
            : null;
    }

    private async Task<long> StoreRowsAsync(NpgsqlConnection connection, BackfillTask task, TriggerDefinition definition, CancellationToken cancellationToken)
    {
        var (relation, from) = await DescribeAsync(connection, definition, cancellationToken).ConfigureAwait(false);
        // Columns as texts, and nothing else: that runs the output functions of types, which are the server's own or an extension's, and no code of a user's.
        // Whether a row is wanted is asked of the evaluator. A table whose policies would hold for the sidecar is refused: they are expressions of its owner's.
        var sql = $"select {string.Join(", ", relation.Columns.Select(column => "t." + Quote(column.Name)))} from {from} t";
        // The rows are read over a cursor: a connection does one thing at a time, and this one stores in between.
        await ExecuteAsync(connection, "set local datestyle = 'ISO, MDY'; set local intervalstyle = postgres; set local timezone = 'UTC'; set local bytea_output = hex; set local extra_float_digits = 1; set local row_security = off", cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(connection, "declare backfill no scroll cursor for " + sql, cancellationToken).ConfigureAwait(false);
        var transaction = await TransactionAsync(connection, cancellationToken).ConfigureAwait(false);
        var question = task.Where is null && definition.Condition is null ? null : ConditionQuestion.OfBackfill(
            relation, task.Where, definition.Condition, ColumnPlaces.Find(relation.Columns, relation.Catalog, definition.TableColumns));
        using var events = new BackfillEvents(
            new EventSource(default, transaction, relation, relation.Triggers[0], null) { IsBackfill = true }, question);
        long stored = 0;
        while (await FetchAsync(connection, relation.Columns.Length, events, cancellationToken).ConfigureAwait(false))
        {
            await events.FilterAsync(conditions, cancellationToken).ConfigureAwait(false);
            if (events.Count == 0) continue;
            stored += events.Count;
            await using var batch = new NpgsqlBatch(connection);
            batch.BatchCommands.Add(events.ToCommand(sidecar));
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        await ExecuteAsync(connection, "close backfill", cancellationToken).ConfigureAwait(false);
        return stored;
    }

    private static async Task<bool> FetchAsync(NpgsqlConnection connection, int columns, BackfillEvents events, CancellationToken cancellationToken)
    {
        events.Clear();
        while (events.Count < BatchRows && events.Bytes < BatchBytes)
        {
            var before = events.Count;
            await using var fetch = new NpgsqlCommand("fetch 100 from backfill", connection) { AllResultTypesAreUnknown = true, CommandTimeout = 0 };
            await using var reader = await fetch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) events.Add(reader, columns);
            if (events.Count == before) break;
        }
        return events.Count > 0;
    }

    /// <summary>The table as the WAL would describe it: without generated columns.</summary>
    private async Task<(PublishedRelation Relation, string From)> DescribeAsync(
        NpgsqlConnection connection, TriggerDefinition definition, CancellationToken cancellationToken)
    {
        var found = new List<(string Column, uint Type, string Schema, string Name)>();
        await using (var command = new NpgsqlCommand("""
            select a.attname::text, a.atttypid, n.nspname::text, c.relname::text
            from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
            where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum
            """, connection))
        {
            command.Parameters.AddWithValue(NpgsqlDbType.Oid, definition.Relation);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                found.Add((reader.GetString(0), reader.GetFieldValue<uint>(1), reader.GetString(2), reader.GetString(3)));
        }
        if (found.Count == 0) throw new PostgresException("The trigger's table is gone.", "ERROR", "ERROR", PostgresErrorCodes.UndefinedTable);
        var columns = new List<PublishedColumn>(found.Count);
        foreach (var (column, type, _, _) in found)
        {
            columns.Add(new PublishedColumn(
                column, JsonEncodedText.Encode(column, RowWriter.Options.Encoder), await types.GetAsync(type, cancellationToken).ConfigureAwait(false), false));
        }
        var relation = new PublishedRelation(definition.Relation, found[0].Schema, found[0].Name, 'f', [.. columns]);
        relation.Catalog = await tables.GetAsync(definition.Relation, [.. found.Select(column => column.Type)], cancellationToken).ConfigureAwait(false);
        relation.Attach([definition with { Enabled = true }]);
        return (relation, $"{Quote(relation.Schema)}.{Quote(relation.Name)}");
    }

    private static async Task<WalTransaction> TransactionAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select pg_current_wal_lsn(), pg_current_xact_id()::text, now()", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        var xid = ulong.Parse(reader.GetString(1), CultureInfo.InvariantCulture);
        return new WalTransaction((ulong)reader.GetFieldValue<NpgsqlLogSequenceNumber>(0), reader.GetDateTime(2), (uint)xid, xid);
    }

    private static async Task FinishAsync(NpgsqlConnection connection, BackfillResult result, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("""
            update functions_private.backfills set status = case when $2::text is null then 'done' else 'failed' end, rows = $3, error = $2, finished_at = now()
            where id = $1
            """, connection);
        command.Parameters.AddWithValue(result.Id);
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)result.Error ?? DBNull.Value });
        command.Parameters.AddWithValue(result.Rows);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static string Quote(string identifier) => "\"" + identifier.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
}
