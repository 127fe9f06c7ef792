using Functions.PgSidecar.Core.RowChanges.Decoding;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.RowChanges.Conditions;

/// <summary>
/// Evaluates again the failed conditions of dead letters that <c>functions.redrive</c> selected, with the triggers' current conditions.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="evaluator">Evaluates the conditions.</param>
/// <param name="triggers">Reads the trigger definitions.</param>
public sealed class RedrivenConditions(NpgsqlDataSource dataSource, ConditionEvaluator evaluator, TriggerStore triggers)
{
    private readonly TableCatalog tables = new(dataSource);

    /// <summary>Evaluates the condition of one dead letter that no other sidecar is evaluating.</summary>
    /// <returns>False if there is none.</returns>
    public async Task<bool> RunNextAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        var letter = await connection
            .SingleOrDefaultAsync<FailedCondition>(
                """
                select event_id, trigger_id, condition_rows::text from functions_private.dead_letters where asked_again
                order by died_at limit 1 for update skip locked
                """,
                null,
                cancellationToken
            )
            .ConfigureAwait(false);
        if (letter is null)
            return false;

        var definition = (await triggers.LoadAsync(cancellationToken).ConfigureAwait(false)).FirstOrDefault(one =>
            one.Id == letter.TriggerId
        );
        var (holds, error) = definition is null
            ? (false, "The trigger was dropped, and its condition with it. functions.discard removes the dead letter.")
            : await AskAsync(definition, ConditionRecord.Read(letter.ConditionRows), cancellationToken).ConfigureAwait(false);

        await connection
            .ExecuteAsync(
                "select functions_private.end_condition(@EventId, @holds, @error)",
                new
                {
                    letter.EventId,
                    holds,
                    error,
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>A dead letter whose condition failed.</summary>
    private sealed record FailedCondition(Guid EventId, int? TriggerId, string ConditionRows);

    private async Task<(bool Holds, string? Error)> AskAsync(
        TriggerDefinition definition,
        ConditionRecord rows,
        CancellationToken cancellationToken
    )
    {
        if (definition.Condition is not { } condition)
            return (true, null);
        var relation = await rows.DescribeAsync(definition.Relation, tables, cancellationToken).ConfigureAwait(false);
        var places = ColumnPlaces.Find(relation.Columns, relation.Catalog, definition.TableColumns);
        try
        {
            var answers = await evaluator
                .AskAsync(ConditionQuestion.OfTrigger(relation, condition, places), [rows.Old], [rows.New], cancellationToken)
                .ConfigureAwait(false);
            return (answers[0], null);
        }
        catch (ConditionFailedException exception)
        {
            return (false, $"The trigger's condition can't be evaluated: {exception.Message}");
        }
    }
}
