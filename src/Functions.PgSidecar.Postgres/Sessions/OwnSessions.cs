namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>
/// Settings that the sidecar's own sessions fix, whatever the server, the database and the role set. A statement_timeout or a read-only
/// default that is meant for the application must not stop reading the WAL, and a search_path must not change the meaning of the sidecar's
/// statements. They are sent as the startup parameter "options", which overrides ALTER DATABASE and ALTER ROLE, and to which a reset
/// returns.
/// </summary>
public static class OwnSessions
{
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
}
