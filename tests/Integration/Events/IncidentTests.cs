using Functions.PgSidecar.Core.RowChanges.Reading;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Database;
using Npgsql;
using NpgsqlTypes;

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

    [Fact]
    public async Task Gap_of_an_open_incident_begins_where_it_is_found_to_begin_earlier()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            "insert into functions_private.incidents (kind, message, from_lsn) values ('publication_missing', 'It is gone.', '0/20')"
        );
        var store = new ReplicationStore(database.Owner);
        foreach (var (since, begins) in ((string, string)[])[("0/30", "0/20"), ("0/10", "0/10")])
        {
            Assert.False(
                await store.OpenIncidentAsync(
                    "publication_missing",
                    "It is gone.",
                    NpgsqlLogSequenceNumber.Parse(since),
                    CancellationToken.None
                )
            );
            Assert.Equal(begins, await database.ScalarAsync<string>("select from_lsn::text from functions.incidents"));
        }
    }
}
