using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Ai.Log;

/// <summary>Writes calls in batches, by binary COPY.</summary>
internal sealed class AiCallStore(NpgsqlDataSource dataSource)
{
    private const string Copy = """
        copy functions_private.ai_calls (id, started_at, operation, function, invocation_id, role, user_id, model, provider, provider_model,
            streamed, cached, estimated, input_tokens, output_tokens, cached_tokens, cost, duration_ms, first_chunk_ms, finish_reason,
            attempts, error_code, error_message, metadata, request, response) from stdin (format binary)
        """;

    /// <summary>Writes a batch completely or not at all.</summary>
    public async Task WriteAsync(IReadOnlyCollection<AiCallRecord> records, CancellationToken cancellationToken)
    {
        try
        {
            await CopyAsync(records, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.CheckViolation)
        {
            // A day has no partition: the batch waited for days, or the maintenance did not run yet.
            await using var command = dataSource.CreateCommand(
                "select functions_serving.make_partition('ai_calls', day) from unnest($1) day"
            );
            command.Parameters.AddWithValue(records.Select(row => DateOnly.FromDateTime(row.StartedAt.UtcDateTime)).Distinct().ToArray());
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            await CopyAsync(records, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task CopyAsync(IReadOnlyCollection<AiCallRecord> records, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var copy = await connection.BeginBinaryImportAsync(Copy, cancellationToken).ConfigureAwait(false);
        foreach (var record in records)
        {
            await copy.StartRowAsync(cancellationToken).ConfigureAwait(false);
            await WriteRowAsync(copy, record, cancellationToken).ConfigureAwait(false);
        }
        await copy.CompleteAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task WriteRowAsync(NpgsqlBinaryImporter copy, AiCallRecord record, CancellationToken cancellationToken)
    {
        var (caller, call) = (record.Caller, record.Call);
        await WriteAsync(NpgsqlDbType.Uuid, record.Id).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.TimestampTz, record.StartedAt.UtcDateTime).ConfigureAwait(false);
        await TextAsync(record.Operation).ConfigureAwait(false);
        await TextAsync(caller.Function).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Uuid, caller.InvocationId).ConfigureAwait(false);
        await TextAsync(caller.Role).ConfigureAwait(false);
        await TextAsync(caller.UserId).ConfigureAwait(false);
        await TextAsync(record.Model).ConfigureAwait(false);
        await TextAsync(call.Provider.Length == 0 ? null : call.Provider).ConfigureAwait(false);
        await TextAsync(call.Model.Length == 0 ? null : call.Model).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Boolean, record.IsStreamed).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Boolean, call.IsCached).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Boolean, record.IsEstimated).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Bigint, call.Usage?.InputTokenCount).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Bigint, call.Usage?.OutputTokenCount).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Bigint, call.Usage?.CachedInputTokenCount).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Numeric, call.Cost).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Double, record.Duration.TotalMilliseconds).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Double, record.FirstChunk?.TotalMilliseconds).ConfigureAwait(false);
        await TextAsync(record.FinishReason).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Integer, call.Attempts).ConfigureAwait(false);
        await TextAsync(record.ErrorCode).ConfigureAwait(false);
        await TextAsync(record.ErrorMessage).ConfigureAwait(false);
        await WriteAsync(NpgsqlDbType.Jsonb, record.Metadata).ConfigureAwait(false);
        await TextAsync(record.Request).ConfigureAwait(false);
        await TextAsync(record.Response).ConfigureAwait(false);

        Task TextAsync(string? text) => WriteAsync(NpgsqlDbType.Text, text is null ? null : PostgresText.Clean(text));

        Task WriteAsync(NpgsqlDbType type, object? value) =>
            value is null ? copy.WriteNullAsync(cancellationToken) : copy.WriteAsync(value, type, cancellationToken);
    }
}
