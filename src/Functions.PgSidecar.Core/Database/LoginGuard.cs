using Functions.PgSidecar.Postgres.Statements;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Database;

/// <summary>
/// Undoes what code of a role may have done to its login: a password of its own, sessions from elsewhere. Runs soon after DDL, DO and CALL
/// of the service role, and every few seconds for what other statements may have done through a function of the database.
/// </summary>
internal sealed class LoginGuard(FunctionDatabase database, TimeProvider time, ILogger<LoginGuard> logger) : BackgroundService
{
    /// <summary>The longest time for which a password that code has set is usable.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>The least time between two checks, however much DDL there is.</summary>
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromSeconds(1);

    /// <summary>A session that a sidecar opened is registered within this time.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Logins that were used by a sidecar that no longer runs, or after a statement whose end was not observed, are checked every sixth
    /// time.
    /// </summary>
    private const int AllEvery = 6;

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await GuardAsync(all: true, cancellationToken).ConfigureAwait(false); // no later check follows
        }
        catch (OperationCanceledException)
        {
            // There is no time left for it.
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
