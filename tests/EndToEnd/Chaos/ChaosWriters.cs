using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>Random concurrent transactions of several clients: small and large, committed, rolled back, and partly rolled back.</summary>
internal static class ChaosWriters
{
    private const int Clients = 3;
    private const int Keys = 40;

    public static Task RunAsync(string connectionString, int seed, CancellationToken over) =>
        Task.WhenAll(Enumerable.Range(0, Clients).Select(client => WriteAsync(connectionString, new Random(seed + 1 + client), over)));

    private static async Task WriteAsync(string connectionString, Random random, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            try
            {
                await using var connection = new NpgsqlConnection(connectionString);
                await connection.OpenAsync(CancellationToken.None);
                while (!over.IsCancellationRequested)
                {
                    await TransactAsync(connection, random);
                    await Task.Delay(random.Next(20), CancellationToken.None);
                }
            }
            catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
            {
                // The server is unavailable, or there was a deadlock. The account shows whether the transaction committed.
                await Task.Delay(50, CancellationToken.None);
            }
        }
    }

    private static async Task TransactAsync(NpgsqlConnection connection, Random random)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        var changes = random.Next(20) == 0 ? random.Next(50, 200) : random.Next(1, 5);
        for (var i = 0; i < changes; i++)
        {
            var isTakenBack = random.Next(8) == 0;
            if (isTakenBack)
                await transaction.SaveAsync("half");
            await ChangeAsync(connection, random);
            if (isTakenBack)
                await transaction.RollbackAsync("half");
        }
        if (random.Next(6) == 0)
            await transaction.RollbackAsync();
        else
            await transaction.CommitAsync();
    }

    private static async Task ChangeAsync(NpgsqlConnection connection, Random random)
    {
        await using var command = new NpgsqlCommand(
            random.Next(4) switch
            {
                0 => "insert into items values ($1, $2, 'inserted') on conflict (id) do nothing",
                1 => "delete from items where id = $1 and $2 is not null",
                _ =>
                    "insert into items values ($1, $2, 'upserted') on conflict (id) do update set value = excluded.value, note = 'updated'",
            },
            connection
        );
        command.Parameters.AddWithValue(random.Next(Keys));
        command.Parameters.AddWithValue(random.Next());
        await command.ExecuteNonQueryAsync();
    }
}
