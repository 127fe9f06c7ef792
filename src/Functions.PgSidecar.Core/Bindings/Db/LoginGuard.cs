using Functions.PgSidecar.Postgres.Data;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Bindings.Db;

/// <summary>
/// Undoes what code of a role may have done to the login that its sessions run over: a password of its own, sessions from elsewhere. Soon after
/// DDL, DO and CALL of the service role, and every few seconds for what other statements may have hidden in a function of the database.
/// </summary>
internal sealed class LoginGuard(FunctionDatabase database, TimeProvider time, ILogger<LoginGuard> logger) : BackgroundService
{
    /// <summary>How long a password that code has set is good for, at most.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>Between two times, however much DDL there is.</summary>
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromSeconds(1);

    /// <summary>A session that a sidecar has opened is registered by then.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>Logins that were used by a sidecar which is gone, or past a statement whose end nobody saw, come to their turn with every 30th time.</summary>
    private const int AllEvery = 30;

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await GuardAsync(all: true, cancellationToken).ConfigureAwait(false); // nobody looks after them from now on
        }
        catch (OperationCanceledException)
        {
            // No time is left for it.
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (var pass = 0; !stoppingToken.IsCancellationRequested; pass++)
        {
            await GuardAsync(all: pass % AllEvery == 0, stoppingToken).ConfigureAwait(false);
            await Task.Delay(ShortestInterval, time, stoppingToken).ConfigureAwait(false);
            await database.WaitForDefinitionsAsync(Interval - ShortestInterval, stoppingToken).ConfigureAwait(false);
        }
    }

    private async Task GuardAsync(bool all, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var finding in await database.GuardLoginsAsync(Grace, all, cancellationToken).ConfigureAwait(false))
                DbLog.LoginGuarded(logger, finding.Login, finding.Text);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            DbLog.LoginsNotGuarded(logger, e.Message);
        }
    }
}
