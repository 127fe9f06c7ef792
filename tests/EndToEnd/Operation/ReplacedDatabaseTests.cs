using System.Net;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Events;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>The database becomes another one, or the WAL can't be had, under a sidecar that runs.</summary>
public sealed class ReplacedDatabaseTests
{
    [Fact]
    public async Task A_database_that_is_made_anew_ends_the_sidecar_so_that_the_next_start_sets_it_up()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        var server = await PostgresServer.GetAsync();
        database.Owner.Clear();
        await server.ExecuteAsync($"drop database \"{database.Name}\" with (force)");
        using (var http = new HttpClient { BaseAddress = sidecar.Url })
            await Eventually.HoldsAsync(async () => (await http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        Assert.False(sidecar.HasExited);
        await server.ExecuteAsync($"create database \"{database.Name}\"");
        Assert.Equal(3, await sidecar.WaitForExitAsync());
        Assert.Contains("This sidecar ends with exit code 3, because the schema functions_private is gone", sidecar.Log);

        await using var next = await SidecarProcess.StartAsync(database.ConnectionString);
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions.functions"));
    }

    [Fact]
    public async Task A_database_of_the_same_name_that_is_another_one_ends_the_sidecar()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        var server = await PostgresServer.GetAsync();
        await using var other = await TestDatabase.CreateAsync();
        other.Owner.Clear();
        database.Owner.Clear();
        await server.ExecuteAsync($"drop database \"{database.Name}\" with (force)");
        await server.ExecuteAsync($"alter database \"{other.Name}\" rename to \"{database.Name}\"");
        Assert.Equal(3, await sidecar.WaitForExitAsync());
        Assert.Contains("because the database has been made anew under the same name", sidecar.Log);
    }

    [Fact]
    public async Task A_sidecar_is_not_ready_while_nobody_reads_the_WAL_and_ready_when_another_one_does()
    {
        await using var stage = await FaultStage.CreateAsync();
        var nowhere = new Npgsql.NpgsqlConnectionStringBuilder(stage.ConnectionString) { Port = 1, Host = "127.0.0.1" }.ConnectionString;
        var second = await stage.StartSidecarAsync(null, ("PGFN_REPLICATION_URL", nowhere));
        using var http = new HttpClient { BaseAddress = second.Url };
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/health/ready")).StatusCode);

        await FaultStage.KillAsync(stage.First);
        await Eventually.HoldsAsync(async () => (await http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        Assert.Contains("\"code\":\"PGFN6504\"", await (await http.GetAsync("/health/ready")).Content.ReadAsStringAsync());
        await stage.StartSidecarAsync();
        await Eventually.HoldsAsync(async () => (await http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.OK);
    }
}
