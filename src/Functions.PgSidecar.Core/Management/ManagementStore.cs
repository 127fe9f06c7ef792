using System.Data;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Management;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Management;

/// <summary>Executes management requests, each in a transaction that also checks what the manager may do.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="policy">What managers may do.</param>
internal sealed class ManagementStore(NpgsqlDataSource dataSource, DeployPolicy policy) : IDisposable
{
    // They are some of the connections that the sidecar's own work uses too: requests that wait for a lock must not take all.
    private const int AtOnce = 8;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim turns = new(AtOnce);

    /// <inheritdoc/>
    public void Dispose() => turns.Dispose();

    /// <summary>Executes a request. Up to eight run at once; one that gets no turn within 5 s is refused as DATABASE_BUSY.</summary>
    /// <param name="route">The endpoint.</param>
    /// <param name="request">The request.</param>
    /// <param name="manager">The manager, which has the route's scope.</param>
    /// <param name="cancellationToken">Cancels the request; nothing is changed then.</param>
    public async Task<ManagementAnswer> ExecuteAsync(
        ManagementRoute route,
        ManagementRequest request,
        Manager manager,
        CancellationToken cancellationToken
    )
    {
        if (!await turns.WaitAsync(Patience, cancellationToken).ConfigureAwait(false))
        {
            return new ManagementAnswer(
                503,
                "DATABASE_BUSY",
                $"{AtOnce} management requests were running for 5 s, which is as many as run at once: try again."
            );
        }
        try
        {
            await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            // Each statement sees everything committed before it.
            await using var transaction = await connection
                .BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken)
                .ConfigureAwait(false);
            var answer = await new Execution(connection, route, request, manager, policy, cancellationToken)
                .RunAsync()
                .ConfigureAwait(false);
            if (answer.Code is null)
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return answer;
        }
        catch (PostgresException e) when (ManagementErrors.Explain(e.SqlState, e.MessageText, e.Hint) is { } answer)
        {
            return answer;
        }
        catch (NpgsqlException e) when (e is not PostgresException || e.IsTransient)
        {
            return new ManagementAnswer(503, "DATABASE_UNAVAILABLE", "The database can't be reached at the moment.");
        }
        finally
        {
            turns.Release();
        }
    }

    /// <summary>One request in its transaction.</summary>
    private sealed class Execution(
        NpgsqlConnection connection,
        ManagementRoute route,
        ManagementRequest request,
        Manager manager,
        DeployPolicy policy,
        CancellationToken cancellationToken
    )
    {
        private string? extra;

        public async Task<ManagementAnswer> RunAsync()
        {
            if (await RefuseBeforeAsync().ConfigureAwait(false) is { } refusal)
                return ManagementAnswer.Forbidden(refusal);
            if (route.Change is { } change)
                extra = await SingleAsync(change).ConfigureAwait(false);
            if (await RefuseAfterAsync().ConfigureAwait(false) is { } laterRefusal)
                return ManagementAnswer.Forbidden(laterRefusal);
            // After the change, because a transaction that has a row lock can't create a replication slot.
            if (manager.KeyId is { } key && !await ApiKeyStore.IsGoodAsync(connection, key, cancellationToken).ConfigureAwait(false))
            {
                const AuthRefusal gone = AuthRefusal.UnknownApiKey;
                return new ManagementAnswer(gone.Status(), gone.Code(), gone.Message());
            }
            if (route.Answer is not { } statement)
                return extra is null ? new ManagementAnswer(204, null, null) : new ManagementAnswer(200, null, extra);
            return await SingleAsync(statement).ConfigureAwait(false) is { } text
                ? new ManagementAnswer(200, null, text)
                : new ManagementAnswer(404, "NOT_FOUND", "There is nothing with this name.");
        }

        private async Task<string?> RefuseBeforeAsync()
        {
            if (manager.Functions is null || route.Scope == ManagementScopes.Read)
                return null;
            if (route.Function is null)
                return "This API key is limited to functions (its option functions), and this endpoint belongs to none of them.";
            return await RefuseFunctionAsync(isRequired: route.IsForExisting).ConfigureAwait(false);
        }

        private async Task<string?> RefuseAfterAsync()
        {
            if (route.Hosts is { } hosts)
            {
                var patterns = await connection.QueryAsync<string>(hosts, Parameters(), cancellationToken).ConfigureAwait(false);
                if (policy.RefusePosting(manager, patterns) is { } refusal)
                    return refusal;
            }
            return manager.Functions is not null && route.Function is not null
                ? await RefuseFunctionAsync(isRequired: false).ConfigureAwait(false)
                : null;
        }

        /// <summary>Why the manager may not change what the request names, because of the function that it runs now.</summary>
        private async Task<string?> RefuseFunctionAsync(bool isRequired)
        {
            var function = await SingleAsync(route.Function!).ConfigureAwait(false);
            var isAllowed = function is null ? !isRequired : manager.Manages(function);
            return isAllowed ? null : "This API key is limited to other functions (its option functions).";
        }

        private Task<string?> SingleAsync(string sql) => connection.SingleOrDefaultAsync<string>(sql, Parameters(), cancellationToken);

        private object Parameters() =>
            new
            {
                name = request.Name,
                body = request.Body,
                filter = request.Filter,
                limit = request.Limit,
                after = request.After,
                functions = manager.Functions?.ToArray(),
                extra,
            };
    }
}
