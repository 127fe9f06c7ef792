using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Serving;

/// <summary>
/// PGFN_TEST_LOGIN=server has all sidecars of the tests run as a login that only serves, where the tests give them a superuser's URL. Any
/// class can be run so; the tests of upgrades, copies and installations expect a sidecar that migrates.
/// </summary>
internal static class TestLogin
{
    private const string Name = "pgfn_server";

    private static bool IsWanted => Environment.GetEnvironmentVariable("PGFN_TEST_LOGIN") == "server";

    /// <summary>The settings of a sidecar that has to run as another login; none if the given one will do.</summary>
    public static async Task<(string Name, string Value)[]> SettingsAsync(string connectionString)
    {
        if (!IsWanted)
            return [];
        var server = await PostgresServer.GetAsync();
        var given = new NpgsqlConnectionStringBuilder(connectionString);
        if (given.Username != new NpgsqlConnectionStringBuilder(server.ConnectionString).Username)
            return [];
        given.Pooling = false;
        await using var superuser = NpgsqlDataSource.Create(given);
        await Migrator.ApplyAsync(superuser, CancellationToken.None);
        await using var grant = superuser.CreateCommand(
            $"""
            do $$ begin
                create role {Name} login noinherit password 'server';
            exception when duplicate_object or unique_violation then null;
            end $$;
            select functions.grant_server('{Name}')
            """
        );
        await grant.ExecuteNonQueryAsync();
        var serving = new NpgsqlConnectionStringBuilder(connectionString) { Username = Name, Password = "server" };
        return [("DATABASE_URL", serving.ConnectionString), ("PGFN_REPLICATION_URL", connectionString)];
    }
}
