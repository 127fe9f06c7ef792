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
    /// <summary>
    /// What whoever had the connection before may have left is gone before the next statement runs: DISCARD ALL, less DISCARD PLANS. Cached plans
    /// say nothing to anyone, and without them every statement plans the policies' helpers anew.
    /// </summary>
    private static readonly string[] ResetSql = ["reset all", "close all", "unlisten *", "discard temp", "discard sequences", "deallocate all"];

    private const string ContextSql =
        "select pg_catalog.pg_advisory_unlock_all(), pg_catalog.set_config('role', $1, true), pg_catalog.set_config('functions.context', $2, true), " +
        "pg_catalog.set_config('request.jwt.claims', $3, true), pg_catalog.set_config('statement_timeout', $4, true)";

    /// <summary>Adds what makes a session clean and then, for the rest of its transaction, the caller's.</summary>
    public void AddPrelude(NpgsqlBatch batch, CallerContext caller, StatementDeadline deadline)
    {
        foreach (var reset in ResetSql) batch.BatchCommands.Add(new NpgsqlBatchCommand(reset));
        var context = new NpgsqlBatchCommand(ContextSql);
        var signed = signer.Sign(caller, batch.Connection!.ProcessID, deadline.At);
        foreach (var value in (ReadOnlySpan<string>)[caller.Role, signed, caller.ClaimsJson, deadline.Milliseconds])
            context.Parameters.Add(new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Text, TypedValue = value });
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
        if (caller is not null) AddPrelude(batch, caller, deadline);
        var first = batch.BatchCommands.Count;
        foreach (var statement in statements) batch.BatchCommands.Add(statement.ToCommand());

        using var writer = new ResultWriter(output, catalog, maxResultBytes);
        try
        {
            await using var reader = await batch.ExecuteReaderAsync(CommandBehavior.SequentialAccess, deadline.Token).ConfigureAwait(false);
            await WriteAsync(reader, batch, first, statements, shape, writer, began, deadline.Token).ConfigureAwait(false);
        }
        catch (PostgresException error)
        {
            throw Translate(error, batch, first, statements, shape);
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
        PostgresException error, NpgsqlBatch batch, int first, IReadOnlyList<PreparedStatement> statements, ResultShape shape)
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
        return FunctionSqlException.From(error, position, shape == ResultShape.Single || index is null or < 0 ? null : index);
    }
}
