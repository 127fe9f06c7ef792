using System.Data;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>
/// A connection that a function holds. Disposing of it returns the connection, and the function's right to hold it, to the pool.
/// </summary>
internal sealed class RoleConnection(
    NpgsqlConnection connection,
    ConnectionGate gate,
    ConnectionGate.Share share,
    AbandonedBackends abandoned,
    string role,
    string? serverStart
) : IAsyncDisposable
{
    private readonly int backend = connection.ProcessID;
    private readonly string login = connection.UserName!;
    private bool isDisposed;

    /// <summary>The connection itself.</summary>
    public NpgsqlConnection Connection { get; } = connection;

    /// <summary>When the connection's server was started.</summary>
    public string? ServerStart { get; } = serverStart;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (isDisposed)
            return;
        isDisposed = true;
        var wasBroken = IsBroken;
        try
        {
            await Connection.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            // A connection breaks when the server is gone, or when it does not answer a cancel. In the second case the statement goes on in
            // a backend without a client. It counts until it has ended.
            if (wasBroken || IsBroken)
                abandoned.Add(new AbandonedBackend(role, login, backend, gate, share));
            else
                gate.Leave(share);
        }
    }

    private bool IsBroken => (Connection.FullState & ConnectionState.Broken) != 0;
}
