using System.Buffers;
using System.Data;
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
    private const string ContextSql =
        "select pg_catalog.set_config('role', $1, true), pg_catalog.set_config('functions.context', $2, true), " +
        "pg_catalog.set_config('request.jwt.claims', $3, true), pg_catalog.set_config('statement_timeout', $4, true)";

    /// <summary>The command that makes what follows in its transaction run as the caller.</summary>
    public NpgsqlBatchCommand ContextCommand(NpgsqlConnection connection, CallerContext caller, StatementDeadline deadline)
    {
        var command = new NpgsqlBatchCommand(ContextSql);
        foreach (var value in (ReadOnlySpan<string>)[caller.Role, signer.Sign(caller, connection.ProcessID, deadline.At), caller.ClaimsJson, deadline.Milliseconds])
            command.Parameters.Add(new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Text, TypedValue = value });
        return command;
    }

    /// <summary>Runs statements as the caller, in a transaction of their own.</summary>
    public Task RunAsync(
        NpgsqlConnection connection, CallerContext caller, IReadOnlyList<PreparedStatement> statements, ResultShape shape,
        IBufferWriter<byte> output, StatementDeadline deadline) =>
        RunAsync(connection, ContextCommand(connection, caller, deadline), statements, shape, output, deadline);

    /// <summary>Runs a statement in the transaction that the connection is in, as whoever that transaction runs.</summary>
    public Task RunAsync(NpgsqlConnection connection, PreparedStatement statement, IBufferWriter<byte> output, StatementDeadline deadline) =>
        RunAsync(connection, context: null, [statement], ResultShape.Single, output, deadline);

    private async Task RunAsync(
        NpgsqlConnection connection, NpgsqlBatchCommand? context, IReadOnlyList<PreparedStatement> statements, ResultShape shape,
        IBufferWriter<byte> output, StatementDeadline deadline)
    {
        var began = time.GetTimestamp();
        await using var batch = new NpgsqlBatch(connection) { Timeout = 0 };
        batch.SetAllResultTypesAreUnknown(true);
        if (context is not null) batch.BatchCommands.Add(context);
        foreach (var statement in statements) batch.BatchCommands.Add(statement.ToCommand());

        using var writer = new ResultWriter(output, catalog, maxResultBytes);
        try
        {
            await using var reader = await batch.ExecuteReaderAsync(CommandBehavior.SequentialAccess, deadline.Token).ConfigureAwait(false);
            await WriteAsync(reader, batch, context is null ? 0 : 1, statements, shape, writer, began, deadline.Token).ConfigureAwait(false);
        }
        catch (PostgresException error)
        {
            throw Translate(error, batch, context, statements, shape);
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
        PostgresException error, NpgsqlBatch batch, NpgsqlBatchCommand? context, IReadOnlyList<PreparedStatement> statements, ResultShape shape)
    {
        if (context is not null && ReferenceEquals(error.BatchCommand, context) && !FunctionSqlException.IsServerAway(error.SqlState))
        {
            return new FunctionSqlException(
                SqlErrorCodes.RoleNotGranted, "The caller's role can't be assumed: " + error.MessageText,
                "The database's owner can repair it: select functions.grant_role('...');", error);
        }

        var index = error.BatchCommand is NpgsqlBatchCommand failed ? batch.BatchCommands.IndexOf(failed) - (context is null ? 0 : 1) : -1;
        var position = index >= 0 && error.Position > 0 ? statements[index].Statement.OriginalPosition(error.Position) : (int?)null;
        return FunctionSqlException.From(error, position, shape == ResultShape.Single || index < 0 ? null : index);
    }
}
