using Functions.PgSidecar.Postgres.Replication;
using Functions.PgSidecar.Testing;
using Npgsql.Replication;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>The socket of a stream can be had from Npgsql: a version that has it elsewhere is noticed here.</summary>
public sealed class ReplicationSocketTests
{
    [Fact]
    public async Task The_socket_of_a_replication_connection_is_found_and_counts_what_comes()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "elsewhere there is none");
        await using var database = await TestDatabase.CreateAsync();
        await using var connection = new LogicalReplicationConnection(database.ConnectionString);
        await connection.Open();
        var socket = ReplicationSocket.Find(connection);
        Assert.NotNull(socket);
        var before = ReplicationSocket.CountSegments(socket);
        Assert.NotEqual(0u, before);
        await connection.IdentifySystem();
        Assert.NotEqual(before, ReplicationSocket.CountSegments(socket));
    }
}
