using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Postgres.Results;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.RowChanges.Backfills;

/// <summary>The result of a backfill.</summary>
/// <param name="Id">The backfill's number.</param>
/// <param name="Trigger">The trigger's name.</param>
/// <param name="Rows">The number of events stored.</param>
/// <param name="Error">Why none were stored; null if they were.</param>
public sealed record BackfillResult(long Id, string Trigger, long Rows, string? Error);

/// <summary>
/// Runs the backfills that <c>functions.backfill</c> requested: stores an INSERT event for every existing row. One backfill is one
/// transaction: it is stored completely, or starts again from the beginning.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="triggers">Reads the trigger definitions.</param>
/// <param name="evaluator">Evaluates conditions.</param>
/// <param name="sidecar">This sidecar.</param>
public sealed class Backfill(NpgsqlDataSource dataSource, TriggerStore triggers, ConditionEvaluator evaluator, Guid sidecar)
{
    private const int BatchRows = 1000;
    private const int BatchBytes = 1 << 20;

    private readonly TypeCatalog types = new(dataSource);
    private readonly TableCatalog tables = new(dataSource);
    private readonly ConditionFilter conditions = new(evaluator);

    /// <summary>Runs the oldest backfill that no other sidecar is running.</summary>
    /// <returns>Null if there is none.</returns>
    public async Task<BackfillResult?> RunNextAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        if (await TakeAsync(connection, cancellationToken).ConfigureAwait(false) is not { } task)
            return null;
        var definition = (await triggers.LoadAsync(cancellationToken).ConfigureAwait(false)).FirstOrDefault(trigger =>
            trigger.Id == task.Trigger
        );
        if (definition is null)
            return null; // the trigger was just dropped, and the backfill with it

        await transaction.SaveAsync("rows", cancellationToken).ConfigureAwait(false);
        BackfillResult result;
        try
        {
            result = new BackfillResult(
                task.Id,
                definition.Name,
                await StoreRowsAsync(connection, task, definition, cancellationToken).ConfigureAwait(false),
                null
            );
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
            result = new BackfillResult(
                task.Id,
                definition.Name,
                0,
                $"A row can't be written as an event: {exception.Message} Leave it out with where_clause."
            );
        }
        await FinishAsync(connection, result, cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return result;
    }

    private sealed record BackfillTask(long Id, int Trigger, string? Where);

    private static Task<BackfillTask?> TakeAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        connection.SingleOrDefaultAsync<BackfillTask>(
            """
            select id, trigger_id as trigger, where_clause as where from functions_private.backfills
            where status = 'pending' order by id limit 1 for update skip locked
            """,
            null,
            cancellationToken
        );

    private async Task<long> StoreRowsAsync(
        NpgsqlConnection connection,
        BackfillTask task,
        TriggerDefinition definition,
        CancellationToken cancellationToken
    )
    {
        await ExecuteAsync(
                connection,
                "set local datestyle = 'ISO, MDY'; set local intervalstyle = postgres; set local timezone = 'UTC'; "
                    + "set local bytea_output = hex; set local extra_float_digits = 1",
                cancellationToken
            )
            .ConfigureAwait(false);
        // Rows are read through a cursor, because a connection runs one statement at a time, and this one also stores events between the
        // fetches. Its lock keeps the columns as they are. It evaluates nothing; the evaluator evaluates the conditions.
        await connection
            .ExecuteAsync(
                "select functions_serving.open_backfill(@relation::oid)",
                new { relation = (long)definition.Relation },
                cancellationToken
            )
            .ConfigureAwait(false);
        var relation = await DescribeAsync(connection, definition, cancellationToken).ConfigureAwait(false);
        var transaction = await TransactionAsync(connection, cancellationToken).ConfigureAwait(false);
        var question =
            task.Where is null && definition.Condition is null
                ? null
                : ConditionQuestion.OfBackfill(
                    relation,
                    task.Where,
                    definition.Condition,
                    ColumnPlaces.Find(relation.Columns, relation.Catalog, definition.TableColumns)
                );
        using var events = new BackfillEvents(
            new EventSource(default, transaction, relation, relation.Triggers[0], null) { IsBackfill = true },
            question
        );
        long stored = 0;
        while (await FetchAsync(connection, relation.Columns.Length, events, cancellationToken).ConfigureAwait(false))
        {
            await events.FilterAsync(conditions, cancellationToken).ConfigureAwait(false);
            if (events.Count == 0)
                continue;
            stored += events.Count;
            await using var batch = new NpgsqlBatch(connection);
            batch.BatchCommands.Add(events.ToCommand(sidecar));
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        await ExecuteAsync(connection, "close backfill", cancellationToken).ConfigureAwait(false);
        return stored;
    }

    private static async Task<bool> FetchAsync(
        NpgsqlConnection connection,
        int columns,
        BackfillEvents events,
        CancellationToken cancellationToken
    )
    {
        events.Clear();
        while (events.Count < BatchRows && events.Bytes < BatchBytes)
        {
            var before = events.Count;
            await using var fetch = new NpgsqlCommand("fetch 100 from backfill", connection)
            {
                AllResultTypesAreUnknown = true,
                CommandTimeout = 0,
            };
            await using var reader = await fetch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                events.Add(reader, columns);
            if (events.Count == before)
                break;
        }
        return events.Count > 0;
    }

    /// <summary>Describes the table as the WAL would: without the generated columns that the WAL does not carry.</summary>
    private async Task<PublishedRelation> DescribeAsync(
        NpgsqlConnection connection,
        TriggerDefinition definition,
        CancellationToken cancellationToken
    )
    {
        var parameters = new { relation = (long)definition.Relation };
        var found = await connection
            .QueryAsync<(string Column, uint Type, string Schema, string Name)>(
                """
                select a.attname::text, a.atttypid, n.nspname::text, c.relname::text
                from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
                where a.attrelid = @relation::oid and a.attnum > 0 and not a.attisdropped and functions_private.is_in_wal(a.attgenerated)
                order by a.attnum
                """,
                parameters,
                cancellationToken
            )
            .ConfigureAwait(false);
        if (found.Count == 0)
            throw new PostgresException("The trigger's table is gone.", "ERROR", "ERROR", PostgresErrorCodes.UndefinedTable);
        var columns = new List<PublishedColumn>(found.Count);
        foreach (var (column, type, _, _) in found)
        {
            columns.Add(
                new PublishedColumn(
                    column,
                    JsonEncodedText.Encode(column, RowWriter.Options.Encoder),
                    await types.GetAsync(type, cancellationToken).ConfigureAwait(false),
                    false
                )
            );
        }
        var relation = new PublishedRelation(definition.Relation, found[0].Schema, found[0].Name, 'f', [.. columns]);
        relation.Catalog = await tables
            .GetAsync(definition.Relation, [.. found.Select(column => column.Type)], cancellationToken)
            .ConfigureAwait(false);
        relation.Attach([definition with { Enabled = true }]);
        return relation;
    }

    private static async Task<WalTransaction> TransactionAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var (lsn, xid, time) = await connection
            .SingleOrDefaultAsync<(NpgsqlLogSequenceNumber, string, DateTime)>(
                "select pg_current_wal_lsn(), pg_current_xact_id()::text, now()",
                null,
                cancellationToken
            )
            .ConfigureAwait(false);
        var number = ulong.Parse(xid, CultureInfo.InvariantCulture);
        return new WalTransaction((ulong)lsn, time, (uint)number, number);
    }

    private static Task<int> FinishAsync(NpgsqlConnection connection, BackfillResult result, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(
            """
            update functions_private.backfills
            set status = case when @Error::text is null then 'done' else 'failed' end, rows = @Rows, error = @Error, finished_at = now()
            where id = @Id
            """,
            result,
            cancellationToken
        );

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
