using Functions.PgSidecar.Postgres.Replication;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Events;

/// <summary>Asks the conditions of dead letters again that <c>functions.redrive</c> took and whose condition had failed, as the triggers have them now.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="evaluator">Evaluates the conditions.</param>
/// <param name="triggers">Where the definitions come from.</param>
public sealed class RedrivenConditions(NpgsqlDataSource dataSource, ConditionEvaluator evaluator, TriggerStore triggers)
{
    private readonly TableCatalog tables = new(dataSource);

    /// <summary>Asks one that no other sidecar is at.</summary>
    /// <returns>False: there is none.</returns>
    public async Task<bool> RunNextAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        Guid id;
        int? trigger;
        ConditionRecord rows;
        await using (var command = new NpgsqlCommand("""
            select event_id, trigger_id, condition_rows::text from functions_private.dead_letters where asked_again
            order by died_at limit 1 for update skip locked
            """, connection))
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) return false;
            (id, trigger, rows) = (reader.GetGuid(0), reader.IsDBNull(1) ? null : reader.GetInt32(1), ConditionRecord.Read(reader.GetString(2)));
        }

        var definition = (await triggers.LoadAsync(cancellationToken).ConfigureAwait(false)).FirstOrDefault(one => one.Id == trigger);
        var (holds, error) = definition is null
            ? (false, "The trigger is gone, and its condition with it. functions.discard removes the dead letter.")
            : await AskAsync(definition, rows, cancellationToken).ConfigureAwait(false);

        await using var end = new NpgsqlCommand("select functions_private.end_condition($1, $2, $3)", connection);
        end.Parameters.AddWithValue(id);
        end.Parameters.AddWithValue(holds);
        end.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)error ?? DBNull.Value });
        await end.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return true;
    }

    private async Task<(bool Holds, string? Error)> AskAsync(TriggerDefinition definition, ConditionRecord rows, CancellationToken cancellationToken)
    {
        if (definition.Condition is not { } condition) return (true, null);
        var relation = await rows.DescribeAsync(definition.Relation, tables, cancellationToken).ConfigureAwait(false);
        var places = ColumnPlaces.Find(relation.Columns, relation.Catalog, definition.TableColumns);
        try
        {
            var answers = await evaluator.AskAsync(
                ConditionQuestion.OfTrigger(relation, condition, places), [rows.Old], [rows.New], cancellationToken).ConfigureAwait(false);
            return (answers[0], null);
        }
        catch (ConditionFailedException exception)
        {
            return (false, $"The trigger's condition can't be evaluated: {exception.Message}");
        }
    }
}
