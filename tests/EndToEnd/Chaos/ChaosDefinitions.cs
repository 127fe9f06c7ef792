using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>
/// Migrations of a table under load: partitions detached and attached, the key dropped and added, columns and the table renamed, columns
/// added and dropped.
/// Each change is reverted, so that the writers, whose statements fail meanwhile, can continue.
/// </summary>
internal sealed class ChaosDefinitions(string connectionString, Random random, Action<string> note)
{
    /// <summary>The table that the writers write to. Each partition holds ten keys.</summary>
    public const string Table = """
        create table items (id int primary key, value int not null, note text) partition by range (id);
        create table items_0 partition of items for values from (0) to (10);
        create table items_1 partition of items for values from (10) to (20);
        create table items_2 partition of items for values from (20) to (30);
        create table items_3 partition of items for values from (30) to (40);
        """;

    /// <summary>Pairs of a change and its reversal. $n is the number of a partition.</summary>
    private static readonly (string Done, string Undone)[] Changes =
    [
        ("alter table items detach partition items_$n", "alter table items attach partition items_$n for values from ($n0) to ($m0)"),
        ("alter table items drop constraint items_pkey", "alter table items add primary key (id)"),
        ("alter table items rename to things", "alter table things rename to items"),
        ("alter table items rename column note to remark", "alter table items rename column remark to note"),
        ("alter table items add column more int default 7", "alter table items drop column more"),
        (
            "create schema elsewhere; alter table items set schema elsewhere",
            "alter table elsewhere.items set schema public; drop schema elsewhere"
        ),
    ];

    /// <summary>Makes one change and reverts it a moment later, with as many attempts as needed.</summary>
    public async Task ChangeAsync()
    {
        var partition = random.Next(4);
        var (done, undone) = Changes[random.Next(Changes.Length)];
        note($"{DateTime.UtcNow:HH:mm:ss.fff} {Of(done, partition)}");
        if (!await TryAsync(Of(done, partition)))
            return;
        await Task.Delay(random.Next(20, 300));
        while (!await TryAsync(Of(undone, partition)))
            await Task.Delay(50);
    }

    private static string Of(string sql, int partition) =>
        sql.Replace("$n0", $"{partition * 10}", StringComparison.Ordinal)
            .Replace("$m0", $"{(partition * 10) + 10}", StringComparison.Ordinal)
            .Replace("$n", $"{partition}", StringComparison.Ordinal);

    /// <summary>Runs in one transaction. Returns false when writers or the sidecar held the table for too long.</summary>
    private async Task<bool> TryAsync(string sql)
    {
        try
        {
            await using var connection = new NpgsqlConnection(connectionString);
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand($"begin; set local lock_timeout = '3s'; {sql}; commit", connection);
            await command.ExecuteNonQueryAsync();
            return true;
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected)
        {
            return false;
        }
    }
}
