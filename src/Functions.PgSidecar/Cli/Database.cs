using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;

namespace Functions.PgSidecar.Cli;

/// <summary>The sidecar's own connections, and the database brought to what it needs.</summary>
internal static class Database
{
    /// <summary>How long a database that is still starting is waited for.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>A data source of the sidecar's own login.</summary>
    /// <param name="options">Where the database is.</param>
    /// <param name="serverVersion">As server_version_num counts; 0: not known yet.</param>
    public static NpgsqlDataSource CreateDataSource(SidecarOptions options, int serverVersion = 0)
    {
        var connection = new NpgsqlConnectionStringBuilder(options.ConnectionString) { ApplicationName = "pgfn", Timeout = 5 };
        connection.Options = OwnSessions.With(connection.Options, serverVersion);
        return new NpgsqlDataSourceBuilder(connection.ConnectionString).Build();
    }

    /// <summary>Applies what is missing; waits for a server that is not there yet.</summary>
    /// <returns>Null where it can't be done; the reasons have been printed, one a line.</returns>
    public static async Task<MigrationReport?> MigrateAsync(NpgsqlDataSource dataSource, string onRestore, ILogger logger, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                var report = await Migrator.ApplyAsync(dataSource, cancellationToken, onRestore);
                if (report.Applied.Count > 0)
                    HostLog.Migrated(logger, report.Applied.Count);
                foreach (var warning in report.Warnings)
                    HostLog.DatabaseWarning(logger, warning);
                return report;
            }
            catch (MigrationException e)
            {
                foreach (var problem in e.Problems)
                    await Console.Error.WriteLineAsync("the database: " + problem);
                return null;
            }
            catch (NpgsqlException e) when (IsAway(e) && TimeProvider.System.GetElapsedTime(began) < Patience)
            {
                HostLog.DatabaseAway(logger, Pause, e.Message);
                await Task.Delay(Pause, cancellationToken);
            }
            catch (NpgsqlException e)
            {
                var hint = e is PostgresException { SqlState: PostgresErrorCodes.ProtocolViolation }
                    ? " A connection pooler says so (PgBouncer): let DATABASE_URL lead to PostgreSQL itself." : "";
                await Console.Error.WriteLineAsync($"DATABASE_URL: {e.Message}{hint}");
                return null;
            }
        }
    }

    /// <summary>Nobody listens, or the server is starting or stopping; a refused login is an answer.</summary>
    private static bool IsAway(NpgsqlException e) =>
        e is not PostgresException { SqlState: not (PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.AdminShutdown) };
}
