using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;

namespace Functions.PgSidecar.Cli;

/// <summary>The sidecar's own connections, and the migration of its database.</summary>
internal static class Database
{
    /// <summary>How long to wait for a database that is still starting.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Creates a data source for the sidecar's own login.</summary>
    /// <param name="options">The connection string and limits.</param>
    /// <param name="serverVersion">In the format of server_version_num; 0 if not known yet.</param>
    public static NpgsqlDataSource CreateDataSource(SidecarOptions options, int serverVersion = 0)
    {
        var connection = new NpgsqlConnectionStringBuilder(options.ConnectionString)
        {
            ApplicationName = "pgfn",
            MaxPoolSize = OwnSessions.PoolSize,
            Timeout = 5,
        };
        connection.Options = OwnSessions.With(connection.Options, serverVersion);
        return new NpgsqlDataSourceBuilder(connection.ConnectionString).Build();
    }

    /// <summary>Applies missing migrations; waits for a server that is not available yet.</summary>
    /// <returns>Null on failure; the reasons have been printed, one per line.</returns>
    public static Task<MigrationReport?> MigrateAsync(
        NpgsqlDataSource dataSource,
        string onRestore,
        ILogger logger,
        CancellationToken cancellationToken
    ) => WhenAvailableAsync(() => Migrator.ApplyAsync(dataSource, cancellationToken, onRestore), logger, cancellationToken);

    /// <summary>The same before serving: a login that only serves checks that the owner has migrated.</summary>
    public static Task<MigrationReport?> MigrateOrCheckAsync(
        NpgsqlDataSource dataSource,
        string onRestore,
        ILogger logger,
        CancellationToken cancellationToken
    ) =>
        WhenAvailableAsync(
            async () =>
            {
                await using (var connection = await dataSource.OpenConnectionAsync(cancellationToken))
                {
                    if (await InstalledSchema.IsOfAnotherOwnerAsync(connection, cancellationToken))
                        return await InstalledSchema.CheckAsync(connection, cancellationToken);
                }
                return await Migrator.ApplyAsync(dataSource, cancellationToken, onRestore);
            },
            logger,
            cancellationToken
        );

    private static async Task<MigrationReport?> WhenAvailableAsync(
        Func<Task<MigrationReport>> prepare,
        ILogger logger,
        CancellationToken cancellationToken
    )
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                var report = await prepare();
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
                    ? " A connection pooler (PgBouncer) answered: let DATABASE_URL point to PostgreSQL itself."
                    : "";
                await Console.Error.WriteLineAsync($"DATABASE_URL: {e.Message}{hint}");
                return null;
            }
        }
    }

    /// <summary>Whether the sidecar's own login may read the WAL.</summary>
    public static async Task<bool> MayReplicateAsync(NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            $"select {ReplicationRight.Condition} from pg_catalog.pg_roles r where r.rolname = current_user"
        );
        return await command.ExecuteScalarAsync(cancellationToken) is true;
    }

    /// <summary>Whether nothing listens, or the server is starting or stopping. A refused login does not count.</summary>
    private static bool IsAway(NpgsqlException e) =>
        e is not PostgresException { SqlState: not (PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.AdminShutdown) };
}
