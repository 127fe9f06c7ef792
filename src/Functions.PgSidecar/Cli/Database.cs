using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Postgres.Migrations;
using Npgsql;

namespace Functions.PgSidecar.Cli;

/// <summary>The sidecar's own connections, and the database brought to what it needs.</summary>
internal static class Database
{
    /// <summary>How long a database that is still starting is waited for.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>A data source of the sidecar's own login.</summary>
    public static NpgsqlDataSource CreateDataSource(SidecarOptions options)
    {
        var connection = new NpgsqlConnectionStringBuilder(options.ConnectionString) { ApplicationName = "pgfn", Timeout = 5 };
        return new NpgsqlDataSourceBuilder(connection.ConnectionString).Build();
    }

    /// <summary>Applies what is missing; waits for a server that is not there yet.</summary>
    /// <returns>False where it can't be done; the reasons have been printed, one a line.</returns>
    public static async Task<bool> MigrateAsync(NpgsqlDataSource dataSource, ILogger logger, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                var report = await Migrator.ApplyAsync(dataSource, cancellationToken);
                if (report.Applied.Count > 0)
                    HostLog.Migrated(logger, report.Applied.Count);
                foreach (var warning in report.Warnings)
                    HostLog.DatabaseWarning(logger, warning);
                return true;
            }
            catch (MigrationException e)
            {
                foreach (var problem in e.Problems)
                    await Console.Error.WriteLineAsync("the database: " + problem);
                return false;
            }
            catch (NpgsqlException e) when (IsAway(e) && TimeProvider.System.GetElapsedTime(began) < Patience)
            {
                HostLog.DatabaseAway(logger, Pause, e.Message);
                await Task.Delay(Pause, cancellationToken);
            }
            catch (NpgsqlException e)
            {
                await Console.Error.WriteLineAsync($"DATABASE_URL: {e.Message}");
                return false;
            }
        }
    }

    /// <summary>Nobody listens, or the server is starting or stopping; a refused login is an answer.</summary>
    private static bool IsAway(NpgsqlException e) =>
        e is not PostgresException { SqlState: not (PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.AdminShutdown) };
}
