using Npgsql;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>
/// Detects connection poolers. They break row-level security for functions, because the caller's context is bound to one server process.
/// </summary>
internal static class Pooler
{
    /// <summary>The problem with a session, in one or two sentences; null when the server itself answers, as the requested login.</summary>
    /// <param name="connection">Open.</param>
    /// <param name="sessionUser">As the session says.</param>
    /// <param name="backend">As the session says: pg_backend_pid().</param>
    public static string? Find(NpgsqlConnection connection, string sessionUser, int backend)
    {
        var login = new NpgsqlConnectionStringBuilder(connection.ConnectionString).Username;
        if (login is not null && login != sessionUser)
        {
            return $"A connection as \"{login}\" has become one as \"{sessionUser}\": a pooler or proxy logs in as one fixed user, and every function would have that user's rights. "
                + "Let DATABASE_URL lead to PostgreSQL itself, not to the pooler.";
        }
        // A pooler invents the process number that it gives to its clients.
        return connection.ProcessID != backend
            ? "The connection leads to a connection pooler (PgBouncer or the like): the server process that answers is not the one that was connected to. Callers of functions are bound to "
                + "their server process, and the WAL can't be read through a pooler. Let DATABASE_URL lead to PostgreSQL itself; the application may go on using the pooler."
            : null;
    }
}
