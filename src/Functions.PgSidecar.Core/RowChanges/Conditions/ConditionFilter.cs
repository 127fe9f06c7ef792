using Functions.PgSidecar.Core.Events;

namespace Functions.PgSidecar.Core.RowChanges.Conditions;

/// <summary>
/// Evaluates the conditions of triggers (the option <c>when</c>) before anything is stored. They are SQL, so the database evaluates them.
/// </summary>
internal sealed class ConditionFilter(ConditionEvaluator evaluator)
{
    /// <summary>The code of dead letters whose condition can't be evaluated.</summary>
    public const string FailureCode = "CONDITION_FAILED";

    /// <summary>
    /// Removes the events whose condition is false. An event whose condition can't be evaluated is marked as a dead letter.
    /// </summary>
    public async Task ApplyAsync(InboxChunk chunk, CancellationToken cancellationToken)
    {
        var asked = chunk
            .Events.Where(one => one.Condition is not null)
            .GroupBy(one => one.Condition!, ReferenceEqualityComparer.Instance)
            .ToList();
        if (asked.Count == 0)
            return;
        var answers = new Dictionary<Guid, (bool Holds, string? Error)>();
        foreach (var group in asked)
            await AskAsync((ConditionQuestion)group.Key!, chunk, [.. group], answers, cancellationToken).ConfigureAwait(false);

        var events = chunk
            .Events.Where(one => !answers.TryGetValue(one.Id, out var answer) || answer.Holds || answer.Error is not null)
            .ToList();
        chunk.Events.Clear();
        foreach (var one in events)
            chunk.Events.Add(
                answers.TryGetValue(one.Id, out var answer) && answer.Error is { } error
                    ? one with
                    {
                        Fault = new EventFault(FailureCode, error),
                    }
                    : one
            );
    }

    /// <summary>
    /// Evaluates all at once. If that fails or takes too long, evaluates each half separately, so that one bad row affects no other, and
    /// many slow rows are split into smaller queries.
    /// </summary>
    private async Task AskAsync(
        ConditionQuestion question,
        InboxChunk chunk,
        List<InboxEvent> events,
        Dictionary<Guid, (bool, string?)> answers,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var holds = await evaluator
                .AskAsync(
                    question,
                    [.. events.Select(one => chunk.Slice(one.Texts!.Value.Old))],
                    [.. events.Select(one => chunk.Slice(one.Texts!.Value.New))],
                    cancellationToken
                )
                .ConfigureAwait(false);
            for (var i = 0; i < events.Count; i++)
                answers[events[i].Id] = (holds[i], null);
            return;
        }
        catch (ConditionFailedException exception) when (events.Count == 1)
        {
            answers[events[0].Id] = (false, $"The trigger's condition can't be evaluated: {exception.Message}");
            return;
        }
        catch (ConditionFailedException)
        {
            // The cause may be one row or all.
        }
        var half = events.Count / 2;
        await AskAsync(question, chunk, events[..half], answers, cancellationToken).ConfigureAwait(false);
        await AskAsync(question, chunk, events[half..], answers, cancellationToken).ConfigureAwait(false);
    }
}
