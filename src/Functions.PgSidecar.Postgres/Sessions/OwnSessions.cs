using Npgsql;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>
/// Settings that the sidecar's own sessions fix, whatever the server, the database and the role set. A statement_timeout or a read-only
/// default that is meant for the application must not stop reading the WAL, and a search_path must not change the meaning of the sidecar's
/// statements. They are sent as the startup parameter "options", which overrides ALTER DATABASE and ALTER ROLE, and to which a reset
/// returns.
/// </summary>
public static class OwnSessions
{
    /// <summary>Connections for the sidecar's own statements, at most.</summary>
    public const int PoolSize = 20;

    /// <summary>Connections for the statements of one feature, at most.</summary>
    public const int FeaturePoolSize = 8;

    /// <summary>For servers of every version.</summary>
    private const string Options =
        "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0 -c default_transaction_read_only=off "
        + "-c default_transaction_deferrable=off -c default_transaction_isolation=read\\ committed -c search_path=pg_catalog,public,pg_temp "
        + "-c quote_all_identifiers=off -c standard_conforming_strings=on";

    /// <summary>The startup options.</summary>
    /// <param name="given">The operator's options (PGOPTIONS), or null; the sidecar's override them.</param>
    /// <param name="serverVersion">As server_version_num counts; 0: not known.</param>
    public static string With(string? given, int serverVersion = 0) =>
        string.Join(
            ' ',
            ((string?[])[given, Options, serverVersion >= 170000 ? "-c transaction_timeout=0" : null]).Where(part =>
                !string.IsNullOrEmpty(part)
            )
        );

    /// <summary>
    /// A pool for the statements of one feature, which are prepared once per connection. They leave nothing in the session, so it is not
    /// reset between them. They use a few of PostgreSQL's own types only, so the pool does not read the whole catalog of types first.
    /// </summary>
    /// <param name="connectionString">That of the sidecar's own login.</param>
    /// <param name="name">The application's name, as pg_stat_activity shows it.</param>
    /// <param name="maxStatements">The most statements that a connection keeps prepared.</param>
    /// <param name="settings">Further startup options of these sessions; null for none.</param>
    public static NpgsqlDataSource CreatePreparingDataSource(
        string connectionString,
        string name,
        int maxStatements,
        string? settings = null
    )
    {
        var connection = new NpgsqlConnectionStringBuilder(connectionString)
        {
            ApplicationName = name,
            MaxPoolSize = FeaturePoolSize,
            MaxAutoPrepare = maxStatements,
            AutoPrepareMinUsages = 2,
            NoResetOnClose = true,
            Timeout = 5,
        };
        connection.Options = With(connection.Options) + (settings is null ? null : " " + settings);
        var builder = new NpgsqlDataSourceBuilder(connection.ConnectionString);
        builder.ConfigureTypeLoading(static loading => loading.EnableTypeLoading(false));
        return builder.Build();
    }
}
