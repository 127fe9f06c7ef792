using System.Globalization;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.RowChanges.Conditions;

/// <summary>
/// Evaluates conditions over the login <c>pgfn_conditions</c>, which has no privileges, in read-only transactions. A condition can reach
/// code of the table's owner that its text does not name (a domain's check, an implicit cast, a type's functions). Whatever that code is,
/// it can do only what PUBLIC can. Sessions are reset before each question, and a session that served one owner's tables is never used for
/// another owner's, because some languages keep state that no reset clears.
/// </summary>
/// <param name="owner">The sidecar's own data source; its command timeout is the longest that a question may take.</param>
/// <param name="key">The key from which the logins' passwords are derived.</param>
public sealed class ConditionEvaluator(NpgsqlDataSource owner, ReadOnlyMemory<byte> key) : IAsyncDisposable
{
    /// <summary>The login's name.</summary>
    public const string Login = "pgfn_conditions";

    /// <summary>Connections of each owner of tables with conditions, at most.</summary>
    public const int MaxConnections = 4;

    private static readonly TimeSpan TerminationWait = TimeSpan.FromSeconds(5);

    private readonly int timeout = new NpgsqlConnectionStringBuilder(owner.ConnectionString).CommandTimeout;
    private readonly RoleLogins logins = new(
        owner,
        key,
        new FunctionDatabaseOptions { MaxPoolSize = MaxConnections, ConnectTimeout = TimeSpan.FromSeconds(30) },
        Login,
        " -c search_path=pg_catalog,pg_temp -c default_transaction_read_only=on -c jit=off"
    );

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => logins.DisposeAsync();

    /// <summary>Evaluates one condition for several rows, in one round trip.</summary>
    /// <exception cref="ConditionFailedException">The condition can't be evaluated for all of them, or takes too long.</exception>
    /// <exception cref="NpgsqlException">The server failed; this says nothing about the condition.</exception>
    internal async Task<bool[]> AskAsync(
        ConditionQuestion question,
        IReadOnlyList<ReadOnlyMemory<byte>> old,
        IReadOnlyList<ReadOnlyMemory<byte>> @new,
        CancellationToken cancellationToken
    )
    {
        var pool = question.Relation.Catalog.Owner.ToString(CultureInfo.InvariantCulture);
        NpgsqlConnection connection;
        try
        {
            connection = await logins.ConnectAsync(pool, cancellationToken).ConfigureAwait(false);
        }
        catch (FunctionSqlException refused)
        {
            throw new NpgsqlException($"Conditions can't be evaluated: {refused.Message}", refused);
        }
        await using var _ = connection.ConfigureAwait(false);
        var process = connection.ProcessID;
        try
        {
            await using var batch = new NpgsqlBatch(connection) { Timeout = timeout };
            SessionReset.AddTo(batch);
            batch.BatchCommands.Add(new NpgsqlBatchCommand("select from (select pg_catalog.pg_advisory_unlock_all()) pgfn_unlocked"));
            batch.BatchCommands.Add(Command(question, old, @new));
            return (bool[])(await ReadLastAsync(batch, cancellationToken).ConfigureAwait(false))!;
        }
        catch (NpgsqlException exception) when (SessionReset.HasFailed(exception))
        {
            logins.Forget(pool);
            throw;
        }
        // A condition's code can raise any error, also those that usually mean a server failure. Only an error with a location in the
        // condition is the condition's.
        catch (PostgresException exception) when (!exception.IsTransient || !string.IsNullOrEmpty(exception.Where))
        {
            throw new ConditionFailedException(exception.MessageText, exception);
        }
        catch (NpgsqlException exception) when (exception.InnerException is TimeoutException)
        {
            // If the connection is still open, the server has cancelled the query. If not, the condition's code may have caught the
            // cancellation; a healthy server can then terminate the process.
            if (
                connection.State != System.Data.ConnectionState.Open
                && !await TerminateAsync(process, cancellationToken).ConfigureAwait(false)
            )
                throw;
            throw new ConditionFailedException(string.Create(CultureInfo.InvariantCulture, $"it took longer than {timeout} s"), exception);
        }
    }

    private static NpgsqlBatchCommand Command(
        ConditionQuestion question,
        IReadOnlyList<ReadOnlyMemory<byte>> old,
        IReadOnlyList<ReadOnlyMemory<byte>> @new
    )
    {
        var command = new NpgsqlBatchCommand(question.Sql);
        foreach (var rows in (IReadOnlyList<ReadOnlyMemory<byte>>[])[old, @new])
            command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text, Value = rows.ToArray() });
        return command;
    }

    private static async Task<object?> ReadLastAsync(NpgsqlBatch batch, CancellationToken cancellationToken)
    {
        object? value = null;
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        do
        {
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                if (reader.FieldCount > 0)
                    value = reader.GetFieldValue<bool[]>(0);
            }
        } while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false));
        return value;
    }

    private async Task<bool> TerminateAsync(int process, CancellationToken cancellationToken)
    {
        await using var command = owner.CreateCommand("select functions_serving.end_login_session($1, $2, wait_ms => $3)");
        command.Parameters.AddWithValue(process);
        command.Parameters.AddWithValue(NpgsqlDbType.Text, Login);
        command.Parameters.AddWithValue((long)TerminationWait.TotalMilliseconds);
        command.CommandTimeout = (int)TerminationWait.TotalSeconds * 2;
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not false;
    }
}

/// <summary>A condition can't be evaluated. The cause is the condition or the rows, so a retry does not help.</summary>
internal sealed class ConditionFailedException(string message, Exception? cause) : Exception(message, cause);
