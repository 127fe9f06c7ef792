using System.Collections.Concurrent;
using System.Globalization;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>Hands out the connections of each role to functions in turn, and to each at most its share.</summary>
internal sealed class RoleConnections(RoleLogins logins, AbandonedBackends abandoned, FunctionDatabaseOptions options, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, ConnectionGate> gates = new(StringComparer.Ordinal);

    /// <summary>A connection for a caller's statements.</summary>
    /// <exception cref="FunctionSqlException">None became free in time (<see cref="SqlErrorCodes.ConnectionsInUse"/>), or the role was not
    /// granted.</exception>
    public async ValueTask<RoleConnection> ConnectAsync(CallerContext caller, CancellationToken cancellationToken)
    {
        var gate = gates.GetOrAdd(
            caller.Role,
            static (_, sizes) => new ConnectionGate(sizes.MaxPoolSize, sizes.ConnectionsPerFunction),
            options
        );
        var share = await gate.EnterAsync(caller.Function, options.ConnectTimeout, time, cancellationToken).ConfigureAwait(false)
            ?? throw InUse(caller, gate);
        try
        {
            var connection = await logins.ConnectAsync(caller.Role, cancellationToken).ConfigureAwait(false);
            return new RoleConnection(connection, gate, share, abandoned, caller.Role, logins.ServerStart(caller.Role));
        }
        catch
        {
            gate.Leave(share);
            throw;
        }
    }

    private FunctionSqlException InUse(CallerContext caller, ConnectionGate gate)
    {
        var seconds = options.ConnectTimeout.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture);
        var held = gate.Held(caller.Function);
        return held >= gate.PerFunction
            ? new FunctionSqlException(
                SqlErrorCodes.ConnectionsInUse,
                $"Function {caller.Function} holds {held} connections as role {caller.Role}, as many as one function may, and none of them became free within {seconds} s.",
                "Transactions count while they are open, and statements until the server has ended them. The limit is PGFN_DB_CONNECTIONS_PER_FUNCTION."
            )
            : new FunctionSqlException(
                SqlErrorCodes.ConnectionsInUse,
                $"All {gate.Connections} connections of role {caller.Role} are in use, {held} of them by function {caller.Function}; none became free within {seconds} s.",
                "Try again later. The limit is PGFN_DB_POOL_SIZE."
            )
            {
                IsUnavailable = true,
            };
    }
}
