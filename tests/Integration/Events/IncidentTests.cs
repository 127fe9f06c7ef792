using Functions.PgSidecar.Core.RowChanges.Reading;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Database;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>A failure that several sidecars notice is one incident.</summary>
public sealed class IncidentTests
{
    [Fact]
    public async Task An_incident_that_another_sidecar_is_about_to_open_is_not_opened_again()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var other = await ConcurrentSession.OpenAsync(database);
        await using var one = NpgsqlDataSource.Create(database.ConnectionString + ";Maximum Pool Size=1");
        await using var asked = one.CreateCommand("select pg_backend_pid()");
        var processId = (int)(await asked.ExecuteScalarAsync())!;
        await other.ExecuteAsync(
            "begin; insert into functions_private.incidents (kind, message) values ('slot_lost', 'The slot is gone.')"
        );
        var opening = new ReplicationStore(one).OpenIncidentAsync("slot_lost", "The slot is gone.", null, CancellationToken.None);
        await ConcurrentSession.WaitsAsync(database, processId, opening);
        await other.ExecuteAsync("commit");
        Assert.False(await opening);
        Assert.Equal(1, await database.ScalarAsync<long>("select count(*) from functions.incidents"));

        await database.ExecuteAsync("select functions.close_incident(id) from functions.incidents");
        Assert.True(await new ReplicationStore(one).OpenIncidentAsync("slot_lost", "The slot is gone.", null, CancellationToken.None));
    }
}
