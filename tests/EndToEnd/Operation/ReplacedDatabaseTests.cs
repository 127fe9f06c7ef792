using System.Net;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Events;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>The database is replaced, or the WAL is unavailable, while a sidecar runs.</summary>
public sealed class ReplacedDatabaseTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Recreated_database_ends_the_sidecar_and_the_next_start_migrates_it()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        var server = await PostgresServer.GetAsync();
        database.Owner.Clear();
        await DropAsync(server, database.Name);
        using (var http = new HttpClient { BaseAddress = sidecar.Url })
            await Eventually.HoldsAsync(async () => (await http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        Assert.False(sidecar.HasExited);
        await server.ExecuteAsync($"create database \"{database.Name}\"");
        Assert.Equal(3, await sidecar.WaitForExitAsync());
        Assert.Contains("This sidecar exits with code 3, because the schema functions_private no longer exists", sidecar.Log);

        await using var next = await SidecarProcess.StartAsync(database.ConnectionString);
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions.functions"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Different_database_of_the_same_name_ends_the_sidecar()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        var server = await PostgresServer.GetAsync();
        await using var other = await TestDatabase.CreateAsync();
        other.Owner.Clear();
        database.Owner.Clear();
        await DropAsync(server, database.Name);
        await server.ExecuteAsync($"alter database \"{other.Name}\" rename to \"{database.Name}\"");
        Assert.Equal(3, await sidecar.WaitForExitAsync());
        Assert.Contains("because the database was recreated under the same name", sidecar.Log);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Sidecar_is_ready_only_while_some_sidecar_reads_the_WAL()
    {
        await using var harness = await FaultHarness.CreateAsync();
        var nowhere = new Npgsql.NpgsqlConnectionStringBuilder(harness.ConnectionString) { Port = 1, Host = "127.0.0.1" }.ConnectionString;
        var second = await harness.StartSidecarAsync(null, ("PGFN_REPLICATION_URL", nowhere));
        using var http = new HttpClient { BaseAddress = second.Url };
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/health/ready")).StatusCode);

        await FaultHarness.KillAsync(harness.First);
        await Eventually.HoldsAsync(async () => (await http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        Assert.Contains("\"code\":\"PGFN6504\"", await (await http.GetAsync("/health/ready")).Content.ReadAsStringAsync());
        await harness.StartSidecarAsync();
        await Eventually.HoldsAsync(async () => (await http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.OK);
    }

    /// <summary>Drops a database as soon as the sidecar is not using its replication slot at that moment.</summary>
    private static Task DropAsync(PostgresServer server, string name) =>
        Eventually.HoldsAsync(async () =>
        {
            try
            {
                await server.ExecuteAsync($"drop database \"{name}\" with (force)");
                return true;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ObjectInUse)
            {
                return false;
            }
        });
}
