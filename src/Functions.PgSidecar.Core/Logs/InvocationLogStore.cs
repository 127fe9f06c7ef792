using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Logs;

/// <summary>Writes invocations and their log lines in batches, by binary COPY, and maintains their partitions.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class InvocationLogStore(NpgsqlDataSource dataSource)
{
    private const string CopyInvocations = """
        copy functions_private.invocations (id, function, version, trigger, status, error_code, error_message, started_at,
            duration_ms, queue_ms, cpu_ms, memory_peak, user_id, role, request_id, trace_id) from stdin (format binary)
        """;

    private const string CopyLogs =
        "copy functions_private.logs (invocation_id, function, seq, level, source, message, logged_at) from stdin (format binary)";

    /// <summary>
    /// Writes a batch completely or not at all. Characters that PostgreSQL can't store (NUL, lone surrogates) are replaced, never refused.
    /// </summary>
    /// <exception cref="NpgsqlException">The database is unavailable or refuses the batch; the caller keeps it and retries.</exception>
    public async Task WriteAsync(
        IReadOnlyCollection<InvocationRecord> invocations,
        IReadOnlyCollection<LogRecord> logs,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await CopyAsync(invocations, logs, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.CheckViolation)
        {
            // A day has no partition if the batch waited for the database for days, the hourly maintenance did not run, or a clock jumped.
            await MakePartitionsAsync("invocations", invocations.Select(row => row.StartedAt), cancellationToken).ConfigureAwait(false);
            await MakePartitionsAsync("logs", logs.Select(row => row.LoggedAt), cancellationToken).ConfigureAwait(false);
            await CopyAsync(invocations, logs, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Creates the partitions of the coming days, and drops those older than the retention (at least a day). Call hourly.
    /// </summary>
    /// <returns>The number of partitions created or dropped.</returns>
    public async Task<int> MaintainPartitionsAsync(TimeSpan retention, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_serving.maintain_partitions($1)");
        command.Parameters.AddWithValue(retention);
        return (int)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    private async Task MakePartitionsAsync(string parent, IEnumerable<DateTimeOffset> times, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_serving.make_partition($1, day) from unnest($2) day");
        command.Parameters.AddWithValue(parent);
        command.Parameters.AddWithValue(times.Select(time => DateOnly.FromDateTime(time.UtcDateTime)).Distinct().ToArray());
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task CopyAsync(
        IReadOnlyCollection<InvocationRecord> invocations,
        IReadOnlyCollection<LogRecord> logs,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        if (invocations.Count > 0)
            await CopyInvocationsAsync(connection, invocations, cancellationToken).ConfigureAwait(false);
        if (logs.Count > 0)
            await CopyLogsAsync(connection, logs, cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task CopyInvocationsAsync(
        NpgsqlConnection connection,
        IReadOnlyCollection<InvocationRecord> invocations,
        CancellationToken cancellationToken
    )
    {
        await using var copy = await connection.BeginBinaryImportAsync(CopyInvocations, cancellationToken).ConfigureAwait(false);
        foreach (var invocation in invocations)
        {
            await copy.StartRowAsync(cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(invocation.Id, NpgsqlDbType.Uuid, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, invocation.Function, cancellationToken).ConfigureAwait(false);
            if (invocation.Version is { } version)
                await copy.WriteAsync(version, NpgsqlDbType.Integer, cancellationToken).ConfigureAwait(false);
            else
                await copy.WriteNullAsync(cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, invocation.Trigger, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, invocation.Status, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, invocation.ErrorCode, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, invocation.ErrorMessage, cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(invocation.StartedAt.UtcDateTime, NpgsqlDbType.TimestampTz, cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(invocation.Duration.TotalMilliseconds, NpgsqlDbType.Double, cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(invocation.Queued.TotalMilliseconds, NpgsqlDbType.Double, cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(invocation.Cpu.TotalMilliseconds, NpgsqlDbType.Double, cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(invocation.MemoryPeak, NpgsqlDbType.Bigint, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, invocation.UserId, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, invocation.Role, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, invocation.RequestId, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, invocation.TraceId, cancellationToken).ConfigureAwait(false);
        }
        await copy.CompleteAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task CopyLogsAsync(
        NpgsqlConnection connection,
        IReadOnlyCollection<LogRecord> logs,
        CancellationToken cancellationToken
    )
    {
        await using var copy = await connection.BeginBinaryImportAsync(CopyLogs, cancellationToken).ConfigureAwait(false);
        foreach (var line in logs)
        {
            await copy.StartRowAsync(cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(line.InvocationId, NpgsqlDbType.Uuid, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, line.Function, cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(line.Sequence, NpgsqlDbType.Integer, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, line.Level, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, line.Source, cancellationToken).ConfigureAwait(false);
            await TextAsync(copy, line.Message, cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(line.LoggedAt.UtcDateTime, NpgsqlDbType.TimestampTz, cancellationToken).ConfigureAwait(false);
        }
        await copy.CompleteAsync(cancellationToken).ConfigureAwait(false);
    }

    private static Task TextAsync(NpgsqlBinaryImporter copy, string? text, CancellationToken cancellationToken) =>
        text is null
            ? copy.WriteNullAsync(cancellationToken)
            : copy.WriteAsync(PostgresText.Clean(text), NpgsqlDbType.Text, cancellationToken);
}
