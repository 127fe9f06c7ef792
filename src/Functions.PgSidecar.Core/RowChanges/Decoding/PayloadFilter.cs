using Functions.PgSidecar.Core.Events;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>
/// Finds the events that the database does not accept as JSON: a value nested as deeply as the server's stack allows is two levels deeper
/// in a payload. Used after a store has failed for such a reason, and from then on for the life of the process, because one row of a
/// statement can't be tested by itself.
/// </summary>
internal sealed class PayloadFilter(NpgsqlDataSource dataSource)
{
    /// <summary>Whether an exception is caused by the data, and not by the server or the connection.</summary>
    public static bool IsOfData(Exception? exception) => exception is PostgresException { SqlState: ['2', '2', ..] or ['5', '4', ..] };

    /// <summary>Marks such events in a chunk.</summary>
    public async Task ApplyAsync(InboxChunk chunk, CancellationToken cancellationToken)
    {
        var whole = Enumerable.Range(0, chunk.Events.Count).Where(i => chunk.Events[i].Fault is null).ToArray();
        if (whole.Length > 0)
            await AskAsync(chunk, whole, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Tests all at once. If that fails, tests each half separately.</summary>
    private async Task AskAsync(InboxChunk chunk, ArraySegment<int> events, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = dataSource.CreateCommand("select cardinality($1) + cardinality($2)");
            command.Parameters.Add(
                new NpgsqlParameter
                {
                    NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Json,
                    Value = events.Select(i => chunk.Slice(chunk.Events[i].Payload)).ToArray(),
                }
            );
            command.Parameters.Add(
                new NpgsqlParameter
                {
                    NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Json,
                    Value = events.Select(i => chunk.Events[i].Caller).ToArray(),
                }
            );
            await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (IsOfData(e))
        {
            if (events.Count == 1)
            {
                chunk.Events[events[0]] = chunk.Events[events[0]].Unreadable(chunk.Buffer, e.MessageText);
                return;
            }
            var half = events.Count / 2;
            await AskAsync(chunk, events[..half], cancellationToken).ConfigureAwait(false);
            await AskAsync(chunk, events[half..], cancellationToken).ConfigureAwait(false);
        }
    }
}
