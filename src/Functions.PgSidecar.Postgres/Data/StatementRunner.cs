using System.Buffers;
using System.Data;
using System.Security.Cryptography;
using Functions.PgSidecar.Postgres.Results;
using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;
using NpgsqlTypes;
using StatementType = Npgsql.StatementType;

namespace Functions.PgSidecar.Postgres.Data;

/// <summary>What a call wants to know of its statements.</summary>
internal enum ResultShape
{
    /// <summary>The one result, an object.</summary>
    Single,
    /// <summary>An array of results, one a statement.</summary>
    Batch,
    /// <summary>How many statements ran.</summary>
    Script,
}

/// <summary>
/// Sends statements over a connection in one round trip, with the caller's role and context before them when asked, and writes their results.
/// Everything between two synchronisation points of the protocol is one transaction: what is set locally at its start is gone at its end.
/// </summary>
internal sealed class StatementRunner(ContextSigner signer, TypeCatalog catalog, int maxResultBytes, TimeProvider time)
{
    /// <summary>
    /// Where the session was not reset, the role is one that does not exist, and the statement fails before it has done anything. The sequence of
    /// random() begins anew: what one caller has seen or chosen (setseed) says nothing about the next one's.
    /// </summary>
    private const string ContextSql =
        "select pg_catalog.pg_advisory_unlock_all(), pg_catalog.set_config('role', " +
        $"case when pg_catalog.current_setting('{SessionReset.Setting}', true) operator(pg_catalog.=) $5 then $1 else 'session not reset' end, true), " +
        "pg_catalog.set_config('functions.context', $2, true), pg_catalog.set_config('request.jwt.claims', $3, true), " +
        "pg_catalog.set_config('statement_timeout', $4, true), pg_catalog.setseed($6)";

    /// <summary>Adds what makes the rest of the transaction the caller's.</summary>
    /// <param name="batch">Begins with the session's reset.</param>
    /// <param name="reset">The token of that reset.</param>
    /// <param name="caller">As whom what follows runs.</param>
    /// <param name="deadline">When it must have ended.</param>
    public void AddContext(NpgsqlBatch batch, string reset, CallerContext caller, StatementDeadline deadline)
    {
        var context = new NpgsqlBatchCommand(ContextSql);
        var signed = signer.Sign(caller, batch.Connection!.ProcessID, deadline.At);
        foreach (var value in (ReadOnlySpan<string>)[caller.Role, signed, caller.ClaimsJson, deadline.Milliseconds, reset])
            context.Parameters.Add(new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Text, TypedValue = value });
        context.Parameters.Add(new NpgsqlParameter<double> { NpgsqlDbType = NpgsqlDbType.Double, TypedValue = Seed() });
        batch.BatchCommands.Add(context);
    }

    /// <summary>Runs statements as the caller, in a transaction of their own.</summary>
    public Task RunAsync(
        NpgsqlConnection connection, CallerContext caller, IReadOnlyList<PreparedStatement> statements, ResultShape shape,
        IBufferWriter<byte> output, StatementDeadline deadline) =>
        RunCoreAsync(connection, caller, statements, shape, output, deadline);

    /// <summary>Runs a statement in the transaction that the connection is in, as whoever that transaction runs.</summary>
    public Task RunAsync(NpgsqlConnection connection, PreparedStatement statement, IBufferWriter<byte> output, StatementDeadline deadline) =>
        RunCoreAsync(connection, caller: null, [statement], ResultShape.Single, output, deadline);

    private async Task RunCoreAsync(
        NpgsqlConnection connection, CallerContext? caller, IReadOnlyList<PreparedStatement> statements, ResultShape shape,
        IBufferWriter<byte> output, StatementDeadline deadline)
    {
        var began = time.GetTimestamp();
        await using var batch = new NpgsqlBatch(connection) { Timeout = 0 };
        batch.SetAllResultTypesAreUnknown(true);
        if (caller is not null)
        {
            var reset = SessionReset.AddTo(batch);
            AddContext(batch, reset, caller, deadline);
        }
        var first = batch.BatchCommands.Count;
        foreach (var statement in statements) batch.BatchCommands.Add(statement.ToCommand());

        using var writer = new ResultWriter(output, catalog, maxResultBytes);
        try
        {
            await using var reader = await batch.ExecuteReaderAsync(CommandBehavior.SequentialAccess, deadline.Token).ConfigureAwait(false);
            await WriteAsync(reader, batch, first, statements, shape, writer, began, deadline.Token).ConfigureAwait(false);
        }
        catch (PostgresException error) when (!SessionReset.HasFailed(error))
        {
            throw Translate(error, batch, first, statements, shape, inTransaction: caller is null);
        }
        writer.Flush();
    }

    private async Task WriteAsync(
        NpgsqlDataReader reader, NpgsqlBatch batch, int first, IReadOnlyList<PreparedStatement> statements, ResultShape shape,
        ResultWriter writer, long began, CancellationToken cancellationToken)
    {
        // The reader stops at each statement that has rows and passes over the others.
        var hasRows = first == 0 ? !IsComplete(batch.BatchCommands[0]) : await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        if (shape == ResultShape.Script)
        {
            while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false)) { }
            writer.WriteScript(statements.Count, time.GetElapsedTime(began).TotalMilliseconds);
            return;
        }

        if (shape == ResultShape.Batch) writer.BeginBatch();
        for (var i = 0; i < statements.Count; i++)
        {
            var command = batch.BatchCommands[first + i];
            var isCurrent = hasRows && !IsComplete(command);
            try
            {
                await writer.WriteRowsAsync(isCurrent ? reader : null, cancellationToken).ConfigureAwait(false);
            }
            catch (FunctionSqlException)
            {
                // Too large: without this the reader would read the rest of it to the end before the connection is free.
                await Task.Run(batch.Cancel, CancellationToken.None).ConfigureAwait(false);
                throw;
            }
            if (isCurrent) hasRows = await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            writer.WriteCompletion(CommandName(command, statements[i]), (long)command.Rows, time.GetElapsedTime(began).TotalMilliseconds);
        }
        if (shape == ResultShape.Batch) writer.EndBatch();
    }

    /// <summary>All of what setseed takes, from -1 to 1: 53 bits.</summary>
    private static double Seed()
    {
        Span<byte> bits = stackalloc byte[sizeof(long)];
        RandomNumberGenerator.Fill(bits);
        return (BitConverter.ToInt64(bits) >> 11) / (double)(1L << 52);
    }

    /// <summary>The server's completion of a command sets its type; until then the reader is at it.</summary>
    private static bool IsComplete(NpgsqlBatchCommand command) => command.StatementType != StatementType.Unknown;

    private static string CommandName(NpgsqlBatchCommand command, PreparedStatement statement) => command.StatementType switch
    {
        StatementType.Select => "SELECT",
        StatementType.Insert => "INSERT",
        StatementType.Update => "UPDATE",
        StatementType.Delete => "DELETE",
        StatementType.Merge => "MERGE",
        _ => statement.Statement.Command,
    };

    private static FunctionSqlException Translate(
        PostgresException error, NpgsqlBatch batch, int first, IReadOnlyList<PreparedStatement> statements, ResultShape shape, bool inTransaction)
    {
        // Without a command the error came at the end: a deferred constraint, or the server going away.
        var index = error.BatchCommand is NpgsqlBatchCommand failed ? batch.BatchCommands.IndexOf(failed) - first : (int?)null;
        if (index < 0 && error.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            return new FunctionSqlException(
                SqlErrorCodes.RoleNotGranted, "The caller's role can't be assumed: " + error.MessageText,
                "The database's owner can repair it: select functions.grant_role('...');", error);
        }

        var position = index >= 0 && error.Position > 0 ? statements[index.Value].Statement.OriginalPosition(error.Position) : (int?)null;
        return FunctionSqlException.From(error, position, shape == ResultShape.Single || index is null or < 0 ? null : index, inTransaction);
    }
}
