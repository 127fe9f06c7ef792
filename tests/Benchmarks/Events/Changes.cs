using System.Diagnostics;
using Npgsql;

namespace Functions.PgSidecar.Benchmarks.Events;

/// <summary>Who changes the rows that functions and jobs are fired by.</summary>
internal static class Changes
{
    /// <summary>Rows of one transaction, where they are written in bulk.</summary>
    private const int RowsTogether = 100;

    /// <summary>Inserts rows one by one, each in a transaction of its own, at a steady pace whatever each takes.</summary>
    /// <param name="owner">The database.</param>
    /// <param name="table">The table.</param>
    /// <param name="note">What its column <c>note</c> is to say.</param>
    /// <param name="count">How many.</param>
    /// <param name="perSecond">How many a second.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task InsertSteadilyAsync(
        NpgsqlDataSource owner,
        string table,
        string note,
        int count,
        int perSecond,
        CancellationToken cancellationToken
    )
    {
        var start = Stopwatch.GetTimestamp();
        var inserts = new List<Task>(count);
        for (var i = 0; i < count; i++)
        {
            while (TimeSpan.FromSeconds((double)i / perSecond) - Stopwatch.GetElapsedTime(start) is var rest && rest > TimeSpan.Zero)
                await Task.Delay(rest, cancellationToken);
            inserts.Add(InsertAsync(owner, table, note, 1, cancellationToken));
        }
        await Task.WhenAll(inserts);
    }

    /// <summary>Inserts rows a hundred a transaction, one transaction after another.</summary>
    public static async Task InsertTogetherAsync(NpgsqlDataSource owner, string table, int count, CancellationToken cancellationToken)
    {
        for (var i = 0; i < count; i += RowsTogether)
            await InsertAsync(owner, table, "together", Math.Min(RowsTogether, count - i), cancellationToken);
    }

    /// <summary>Inserts rows in one transaction.</summary>
    public static async Task InsertAsync(NpgsqlDataSource owner, string table, string note, int count, CancellationToken cancellationToken)
    {
        await using var command = owner.CreateCommand($"insert into {table} (note) select $1 from generate_series(1, $2)");
        command.Parameters.AddWithValue(note);
        command.Parameters.AddWithValue(count);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
