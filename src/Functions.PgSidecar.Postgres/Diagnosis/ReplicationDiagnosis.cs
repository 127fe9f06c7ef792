using System.Globalization;
using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;
using Npgsql.Replication;

namespace Functions.PgSidecar.Postgres.Diagnosis;

/// <summary>Tries whether the WAL can be read, by a replication connection as the sidecar opens one.</summary>
public static class ReplicationDiagnosis
{
    /// <summary>What there is to say about the login that reads the WAL.</summary>
    /// <param name="connection">Open, as the sidecar's own login.</param>
    /// <param name="connectionString">That of the replication login.</param>
    /// <param name="setting">Where it comes from.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<IReadOnlyList<Finding>> ExamineAsync(
        NpgsqlConnection connection,
        string connectionString,
        string setting,
        CancellationToken cancellationToken
    )
    {
        var login = new NpgsqlConnectionStringBuilder(connectionString);
        try
        {
            var single = await SingleHost.ChooseAsync(connectionString, cancellationToken).ConfigureAwait(false);
            await using var replication = new LogicalReplicationConnection(
                new NpgsqlConnectionStringBuilder(single) { Pooling = false, Timeout = 5 }.ConnectionString
            );
            await replication.Open(cancellationToken).ConfigureAwait(false);
            var system = await replication.IdentifySystem(cancellationToken).ConfigureAwait(false);
            await using var command = new NpgsqlCommand(
                $"""
                select (select system_identifier::text from pg_control_system()), current_database()::text,
                       (select {ReplicationRight.Condition} from pg_roles r where r.rolname = $1)
                """,
                connection
            )
            {
                Parameters = { new() { Value = login.Username } },
            };
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (reader.GetString(0) != system.SystemId.ToString(CultureInfo.InvariantCulture) || reader.GetString(1) != system.DbName)
                return
                [
                    new(
                        FindingKind.Missing,
                        $"{setting} leads to the database \"{system.DbName}\" of another server than DATABASE_URL, or to another database."
                    ),
                ];
            return reader.GetBoolean(2)
                ? [new(FindingKind.Fine, $"{setting} reads the WAL as \"{login.Username}\"")]
                :
                [
                    new(
                        FindingKind.Missing,
                        $"{setting}: login \"{login.Username}\" may not create a replication slot; see 'pgfn install'."
                    ),
                ];
        }
        catch (NpgsqlException e)
        {
            return
            [
                new(
                    FindingKind.Missing,
                    $"{setting}: no replication connection as \"{login.Username}\": {e.Message.ReplaceLineEndings(" ")}. It needs the right "
                        + "REPLICATION ('pgfn install' makes such a login) and a line of pg_hba.conf for this database."
                ),
            ];
        }
    }
}
