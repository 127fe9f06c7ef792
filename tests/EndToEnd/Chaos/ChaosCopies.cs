using System.Globalization;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Operation;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>
/// Restores a dump of the database, taken under load, on a second server with a sidecar of its own. The copy must hold the events that
/// waited in the original, fire for its own changes, and deliver what it held once it is adopted.
/// </summary>
internal sealed class ChaosCopies(string origin) : IAsyncDisposable
{
    private const string Effects = "select count(*) from effects";

    private PrivateServer? server;
    private int copies;

    /// <summary>Restores one copy, checks it, and drops it.</summary>
    public async Task RestoreAsync()
    {
        server ??= await PrivateServer.StartAsync();
        var name = string.Create(CultureInfo.InvariantCulture, $"copy_{copies++}");
        await server.ExecuteAsync($"create database {name}");
        await DumpedDatabase.RestoreAsync(origin, In(server.ConnectionString, name));
        await using (var copy = NpgsqlDataSource.Create(In(server.ConnectionString, name)))
        {
            var waiting = await ScalarAsync<long>(copy, "select count(*) from functions_private.deliveries");
            var effects = await ScalarAsync<long>(copy, Effects);
            await using (await SidecarProcess.StartAsync(In(server.SidecarConnectionString, name)))
            {
                Assert.Equal(waiting, await ScalarAsync<long>(copy, "select events_held from functions.replication"));
                // The first restore could not grant to roles that the server did not have; the sidecar has created them by now.
                await ScalarAsync<object>(
                    copy,
                    "grant all on all tables in schema public to service_role; grant usage on all sequences in schema public to service_role"
                );
                // Writers write no negative values.
                await ScalarAsync<object>(copy, "insert into items values (0, -1, 'copy') on conflict (id) do update set value = -1");
                await Eventually.HoldsAsync(() =>
                    ScalarAsync<bool>(copy, "select exists (select from effects where new ->> 'value' = '-1')")
                );
                Assert.InRange(await ScalarAsync<long>(copy, Effects) - effects, 1, long.MaxValue);
                Assert.Equal(
                    0,
                    await ScalarAsync<long>(copy, $"select count(*) from effects where n > {effects} and new ->> 'value' <> '-1'")
                );

                Assert.Equal(waiting, await ScalarAsync<long>(copy, "select functions.adopt('deliver')"));
                await Eventually.HoldsAsync(() => ScalarAsync<bool>(copy, "select count(*) = 0 from functions_private.deliveries"));
            }
        }
        var account = await ChaosAccount.TakeAsync(In(server.ConnectionString, name));
        // What had committed and was not read from the WAL yet is in no dump, so that a change of the copy may be without an event.
        Assert.Equal((0, 0, 0, 0), (account.Phantoms, account.WithoutEffect, account.WrongEffects, account.DeadLetters));
        NpgsqlConnection.ClearAllPools();
        await server.ExecuteAsync($"drop database {name} with (force)");
    }

    public ValueTask DisposeAsync() => server?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static string In(string connectionString, string database) =>
        new NpgsqlConnectionStringBuilder(connectionString) { Database = database }.ConnectionString;

    private static async Task<T?> ScalarAsync<T>(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is T value ? value : default;
    }
}
