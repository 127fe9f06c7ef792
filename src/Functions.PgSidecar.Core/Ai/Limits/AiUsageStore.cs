using Functions.PgSidecar.Postgres.Errors;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Ai.Limits;

/// <summary>Counts calls against the limits of their callers, in the database, so that all sidecars share them.</summary>
internal sealed class AiUsageStore(NpgsqlDataSource dataSource)
{
    /// <summary>Counts a request.</summary>
    /// <exception cref="SidecarException">PGFN5103: a limit is reached. DATABASE_UNAVAILABLE: it can't be counted.</exception>
    public async Task AdmitAsync(AiCaller caller, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = dataSource.CreateCommand(
                "select reached, ends_at, wait_seconds from functions_private.admit_ai_call($1, $2, $3)"
            );
            AddCaller(command, caller);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (!reader.IsDBNull(0))
                throw AiErrors.LimitReached(
                    reader.GetString(0),
                    reader.GetFieldValue<DateTimeOffset>(1),
                    TimeSpan.FromSeconds(reader.GetDouble(2))
                );
        }
        catch (NpgsqlException e)
        {
            throw new SidecarException(
                SqlErrorCodes.Unavailable,
                503,
                "The limits of models can't be checked: the database does not answer.",
                e
            );
        }
    }

    /// <summary>Counts what a call has used.</summary>
    public async Task CountAsync(AiCaller caller, long tokens, decimal cost, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.count_ai_usage($1, $2, $3, $4, $5)");
        AddCaller(command, caller);
        command.Parameters.AddWithValue(tokens);
        command.Parameters.AddWithValue(cost);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes expired answers and the counts of past periods.</summary>
    public async Task MaintainAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.maintain_ai()");
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static void AddCaller(NpgsqlCommand command, AiCaller caller)
    {
        AddText(command, caller.Function);
        AddText(command, caller.Role);
        AddText(command, caller.UserId);
    }

    private static void AddText(NpgsqlCommand command, string? value) =>
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)value ?? DBNull.Value });
}
