using System.Data;
using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>Asks the conditions of triggers (the option <c>when</c>), before anything is stored. They are SQL, and the database answers.</summary>
internal sealed class ConditionFilter(NpgsqlDataSource dataSource)
{
    /// <summary>Takes the events out of a chunk whose conditions do not hold. One that can't be answered marks its event.</summary>
    public async Task ApplyAsync(InboxChunk chunk, CancellationToken cancellationToken)
    {
        var asked = chunk.Events.Where(one => one.Condition is not null).GroupBy(one => one.Condition!).ToList();
        if (asked.Count == 0) return;
        var answers = new Dictionary<Guid, (bool Holds, string? Error)>();
        foreach (var group in asked)
            await AskAsync(group.Key, chunk, [.. group], answers, cancellationToken).ConfigureAwait(false);

        var events = chunk.Events.Where(one => !answers.TryGetValue(one.Id, out var answer) || answer.Holds || answer.Error is not null).ToList();
        chunk.Events.Clear();
        foreach (var one in events)
            chunk.Events.Add(answers.TryGetValue(one.Id, out var answer) && answer.Error is { } error ? one with { Fault = new EventFault("CONDITION_FAILED", error) } : one);
    }

    /// <summary>All at once; where that fails or takes too long, one half after the other, so that one odd row costs no other and many slow ones are asked in turn.</summary>
    private async Task AskAsync(
        string condition, InboxChunk chunk, List<InboxEvent> events, Dictionary<Guid, (bool, string?)> answers, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        string error;
        try
        {
            var holds = await QueryAsync(connection, condition, chunk, events, cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < events.Count; i++) answers[events[i].Id] = (holds[i], null);
            return;
        }
        catch (PostgresException exception) when (!exception.IsTransient)
        {
            error = exception.MessageText;
        }
        // A server that answers has called the question off, and the connection is well. Of one that does not answer nothing is known: its events must wait.
        catch (NpgsqlException exception) when (exception.InnerException is TimeoutException && connection.State == ConnectionState.Open)
        {
            error = string.Create(CultureInfo.InvariantCulture, $"it took longer than {connection.CommandTimeout} s");
        }
        await connection.CloseAsync().ConfigureAwait(false);

        if (events.Count == 1)
        {
            answers[events[0].Id] = (false, $"The trigger's condition can't be evaluated: {error}");
            return;
        }
        var half = events.Count / 2;
        await AskAsync(condition, chunk, events[..half], answers, cancellationToken).ConfigureAwait(false);
        await AskAsync(condition, chunk, events[half..], answers, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<bool[]> QueryAsync(
        NpgsqlConnection connection, string condition, InboxChunk chunk, List<InboxEvent> events, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"select array(select coalesce({condition}(nullif(o, '')::jsonb, nullif(n, '')::jsonb), false) from unnest($1, $2) with ordinality as c (o, n, i) order by i)",
            connection);
        command.Parameters.Add(Texts(events, one => chunk.Slice(one.Texts!.Value.Old)));
        command.Parameters.Add(Texts(events, one => chunk.Slice(one.Texts!.Value.New)));
        return (bool[])(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    private static NpgsqlParameter Texts(List<InboxEvent> events, Func<InboxEvent, ReadOnlyMemory<byte>> slice) =>
        new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text, Value = events.Select(slice).ToArray() };
}
