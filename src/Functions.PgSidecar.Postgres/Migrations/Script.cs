using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>Runs SQL of the migration, without a time limit: it waits for other sessions' locks.</summary>
internal static class Script
{
    /// <summary>Runs statements; server errors are not translated.</summary>
    public static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs statements of a file or a step.</summary>
    /// <exception cref="MigrationException">The server refused; names the file or step.</exception>
    public static async Task ExecuteAsync(NpgsqlConnection connection, string step, string sql, CancellationToken cancellationToken)
    {
        try
        {
            await ExecuteAsync(connection, sql, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception)
        {
            throw Refused(step, exception);
        }
    }

    /// <summary>The error that names the file or step whose statement the server refused.</summary>
    public static MigrationException Refused(string step, PostgresException exception) =>
        new(
            [
                $"{step}: {exception.MessageText}{(exception.Detail is { } detail ? " " + detail : "")}{(exception.Hint is { } hint ? " " + hint : "")} ({exception.SqlState})",
            ],
            exception
        );
}
