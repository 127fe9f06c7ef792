using System.Buffers;
using System.Data;
using System.Globalization;
using System.Security.Cryptography;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Results;
using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;
using NpgsqlTypes;
using StatementType = Npgsql.StatementType;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>The form of a call's result.</summary>
internal enum ResultShape
{
    /// <summary>The one result, an object.</summary>
    Single,

    /// <summary>An array of results, one per statement.</summary>
    Batch,

    /// <summary>How many statements ran.</summary>
    Script,
}

/// <summary>
/// Sends statements over a connection in one round trip, with the caller's role and context before them when asked, and writes their
/// results. Everything between two synchronisation points of the protocol is one transaction: settings that are local to it end with it.
/// </summary>
internal sealed class StatementRunner(ContextSigner signer, TypeCatalog catalog, int maxResultBytes, TimeProvider time)
{
    /// <summary>
    /// If the session was not reset, the role is one that does not exist, and the statement fails before it has any effect. The sequence of
    /// random() restarts from a random seed, so that one caller's values or seed (setseed) disclose nothing about the next caller's.
    /// </summary>
    private const string ContextSql =
        "select pg_catalog.pg_advisory_unlock_all(), pg_catalog.set_config('role', "
        + $"case when pg_catalog.current_setting('{SessionReset.Setting}', true) operator(pg_catalog.=) $5 then $1 else 'session not reset' end, true), "
        + "pg_catalog.set_config('functions.context', $2, true), pg_catalog.set_config('request.jwt.claims', $3, true), "
        + "pg_catalog.set_config('statement_timeout', $4, true), pg_catalog.setseed($6)";

    private readonly ParameterTypes parameterTypes = new();

    /// <summary>Adds the statement that assumes the caller's role and context for the rest of the transaction.</summary>
    /// <param name="batch">Begins with the session's reset.</param>
    /// <param name="reset">The token of that reset.</param>
    /// <param name="caller">The caller as which the following statements run.</param>
    /// <param name="deadline">When it must have ended.</param>
    /// <param name="settings">Further settings for the rest of the transaction.</param>
    public void AddContext(
        NpgsqlBatch batch,
        string reset,
        CallerContext caller,
        StatementDeadline deadline,
        IReadOnlyList<(string Name, string Value)>? settings = null
    )
    {
        var context = new NpgsqlBatchCommand(settings is { Count: > 0 } ? WithSettings(settings.Count) : ContextSql);
        var signed = signer.Sign(caller, batch.Connection!.ProcessID, deadline.At);
        foreach (var value in (ReadOnlySpan<string>)[caller.Role, signed, caller.ClaimsJson, deadline.Milliseconds, reset])
            context.Parameters.Add(new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Text, TypedValue = value });
        context.Parameters.Add(new NpgsqlParameter<double> { NpgsqlDbType = NpgsqlDbType.Double, TypedValue = Seed() });
        foreach (var (name, value) in settings ?? [])
        {
            context.Parameters.Add(new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Text, TypedValue = name });
            context.Parameters.Add(new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Text, TypedValue = value });
        }
        batch.BatchCommands.Add(context);
    }

    /// <summary>Runs statements as the caller, in a transaction of their own.</summary>
    /// <returns>How many rows they returned.</returns>
    public Task<long> RunAsync(
        NpgsqlConnection connection,
        CallerContext caller,
        IReadOnlyList<PreparedStatement> statements,
        ResultShape shape,
        IBufferWriter<byte> output,
        StatementDeadline deadline,
        IReadOnlyList<(string Name, string Value)>? settings
    ) => RunCoreAsync(connection, caller, statements, shape, output, deadline, settings);

    /// <summary>Runs a statement in the transaction that the connection is in, with that transaction's role.</summary>
    public Task RunAsync(
        NpgsqlConnection connection,
        PreparedStatement statement,
        IBufferWriter<byte> output,
        StatementDeadline deadline
    ) => RunCoreAsync(connection, caller: null, [statement], ResultShape.Single, output, deadline, settings: null);

    private async Task<long> RunCoreAsync(
        NpgsqlConnection connection,
        CallerContext? caller,
        IReadOnlyList<PreparedStatement> statements,
        ResultShape shape,
        IBufferWriter<byte> output,
        StatementDeadline deadline,
        IReadOnlyList<(string Name, string Value)>? settings
    )
    {
        var began = time.GetTimestamp();
        statements = await AdaptAsync(connection, caller, statements, deadline).ConfigureAwait(false);
        await using var batch = new NpgsqlBatch(connection) { Timeout = 0 };
        batch.SetAllResultTypesAreUnknown(true);
        if (caller is not null)
        {
            var reset = SessionReset.AddTo(batch);
            AddContext(batch, reset, caller, deadline, settings);
        }
        var first = batch.BatchCommands.Count;
        foreach (var statement in statements)
            batch.BatchCommands.Add(statement.ToCommand());

        using var writer = new ResultWriter(output, catalog, maxResultBytes);
        long rows;
        try
        {
            await using var reader = await batch.ExecuteReaderAsync(CommandBehavior.SequentialAccess, deadline.Token).ConfigureAwait(false);
            rows = await WriteAsync(reader, batch, first, statements, shape, writer, began, deadline.Token).ConfigureAwait(false);
        }
        catch (PostgresException error) when (!SessionReset.HasFailed(error))
        {
            foreach (var statement in statements)
                parameterTypes.Forget(connection.UserName!, statement);
            throw Translate(error, batch, first, statements, shape, inTransaction: caller is null);
        }
        writer.Flush();
        return rows;
    }

    /// <summary>Writes parameters that are vectors as their types need; asks the server for the types that are not known.</summary>
    private async ValueTask<IReadOnlyList<PreparedStatement>> AdaptAsync(
        NpgsqlConnection connection,
        CallerContext? caller,
        IReadOnlyList<PreparedStatement> statements,
        StatementDeadline deadline
    )
    {
        PreparedStatement[]? adapted = null;
        for (var i = 0; i < statements.Count; i++)
        {
            if (!ParameterTypes.Matters(statements[i]))
                continue;
            adapted ??= [.. statements];
            adapted[i] = parameterTypes.Adapt(connection.UserName!, statements[i])
                ?? await LearnAsync(connection, caller, statements[i], deadline).ConfigureAwait(false);
        }
        return adapted ?? statements;
    }

    /// <summary>Asks for the types of a statement's parameters. If the server can't tell, the statement itself says why.</summary>
    private async Task<PreparedStatement> LearnAsync(
        NpgsqlConnection connection,
        CallerContext? caller,
        PreparedStatement statement,
        StatementDeadline deadline
    )
    {
        await using var batch = new NpgsqlBatch(connection) { Timeout = 0 };
        if (caller is not null)
            AddContext(batch, SessionReset.AddTo(batch), caller, deadline);
        ParameterTypes.AddTo(batch, statement);
        try
        {
            await using var reader = await batch.ExecuteReaderAsync(deadline.Token).ConfigureAwait(false);
            if (caller is not null)
                await reader.NextResultAsync(deadline.Token).ConfigureAwait(false);
            await reader.ReadAsync(deadline.Token).ConfigureAwait(false);
            var types = reader.IsDBNull(0) ? [] : reader.GetFieldValue<string?[]>(0);
            return parameterTypes.Learn(connection.UserName!, statement, types);
        }
        catch (PostgresException error) when (caller is not null && !SessionReset.HasFailed(error))
        {
            return statement;
        }
    }

    private async Task<long> WriteAsync(
        NpgsqlDataReader reader,
        NpgsqlBatch batch,
        int first,
        IReadOnlyList<PreparedStatement> statements,
        ResultShape shape,
        ResultWriter writer,
        long began,
        CancellationToken cancellationToken
    )
    {
        // The reader stops at each statement that returns rows and skips the others.
        var hasRows =
            first == 0 ? !IsComplete(batch.BatchCommands[0]) : await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        if (shape == ResultShape.Script)
        {
            while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false)) { }
            writer.WriteScript(statements.Count, time.GetElapsedTime(began).TotalMilliseconds);
            return 0;
        }

        if (shape == ResultShape.Batch)
            writer.BeginBatch();
        var rows = 0L;
        for (var i = 0; i < statements.Count; i++)
        {
            var command = batch.BatchCommands[first + i];
            var isCurrent = hasRows && !IsComplete(command);
            try
            {
                rows += await writer.WriteRowsAsync(isCurrent ? reader : null, cancellationToken).ConfigureAwait(false);
            }
            catch (FunctionSqlException)
            {
                // Too large: without the cancel, the reader would read the whole rest before the connection is free.
                await Task.Run(batch.Cancel, CancellationToken.None).ConfigureAwait(false);
                throw;
            }
            if (isCurrent)
                hasRows = await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            writer.WriteCompletion(CommandName(command, statements[i]), (long)command.Rows, time.GetElapsedTime(began).TotalMilliseconds);
        }
        if (shape == ResultShape.Batch)
            writer.EndBatch();
        return rows;
    }

    /// <summary>The statement with settings more; their names and values are parameters too.</summary>
    private static string WithSettings(int count) =>
        string.Concat(
            Enumerable
                .Range(0, count)
                .Select(static i =>
                    string.Create(CultureInfo.InvariantCulture, $", pg_catalog.set_config(${7 + 2 * i}, ${8 + 2 * i}, true)")
                )
                .Prepend(ContextSql)
        );

    /// <summary>A random seed in the range of setseed, from -1 to 1: 53 bits.</summary>
    private static double Seed()
    {
        Span<byte> bits = stackalloc byte[sizeof(long)];
        RandomNumberGenerator.Fill(bits);
        return (BitConverter.ToInt64(bits) >> 11) / (double)(1L << 52);
    }

    /// <summary>A command's type is set when the server completes it; until then the reader is still at this command.</summary>
    private static bool IsComplete(NpgsqlBatchCommand command) => command.StatementType != StatementType.Unknown;

    private static string CommandName(NpgsqlBatchCommand command, PreparedStatement statement) =>
        command.StatementType switch
        {
            StatementType.Select => "SELECT",
            StatementType.Insert => "INSERT",
            StatementType.Update => "UPDATE",
            StatementType.Delete => "DELETE",
            StatementType.Merge => "MERGE",
            _ => statement.Statement.Command,
        };

    private static FunctionSqlException Translate(
        PostgresException error,
        NpgsqlBatch batch,
        int first,
        IReadOnlyList<PreparedStatement> statements,
        ResultShape shape,
        bool inTransaction
    )
    {
        // An error without a command came at the end: a deferred constraint, or a server shutdown.
        var index = error.BatchCommand is NpgsqlBatchCommand failed ? batch.BatchCommands.IndexOf(failed) - first : (int?)null;
        if (index < 0 && error.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            return new FunctionSqlException(
                SqlErrorCodes.RoleNotGranted,
                "The caller's role can't be assumed: " + error.MessageText,
                "The database's owner can repair it: select functions.grant_role('...');",
                error
            );
        }

        var position = index >= 0 && error.Position > 0 ? statements[index.Value].Statement.OriginalPosition(error.Position) : (int?)null;
        return FunctionSqlException.From(
            error,
            position,
            shape == ResultShape.Single || index is null or < 0 ? null : index,
            inTransaction
        );
    }
}
