using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Registry;

/// <summary>
/// Hears of changes on a notification channel (of functions, on <c>functions_changed</c>), over one connection that it opens again, with backoff, whenever it is
/// lost. Notifications of the time in between are lost with it: on every "connected" the listener's owner must load everything anew, and while
/// it is not connected poll.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="logger">Where a lost connection is reported.</param>
/// <param name="time">The clock of the backoff.</param>
/// <param name="channel">The channel; a plain identifier.</param>
public sealed partial class ChangeListener(
    NpgsqlDataSource dataSource, ILogger<ChangeListener> logger, TimeProvider time, string channel = ChangeListener.FunctionsChanged)
{
    /// <summary>Tells the names of functions whose definitions changed.</summary>
    public const string FunctionsChanged = "functions_changed";

    /// <summary>Tells that there are new <c>deliveries</c>, <c>triggers</c> or <c>backfills</c>.</summary>
    public const string FunctionsEvents = "functions_events";

    /// <summary>The payload on <see cref="FunctionsChanged"/> that says that the API keys changed; no function can have this name.</summary>
    public const string ApiKeysChanged = "!api_keys";

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(15);

    /// <summary>Whether notifications arrive at the moment.</summary>
    public bool IsConnected { get; private set; }

    /// <summary>Listens until cancelled.</summary>
    /// <param name="changed">Called with each notification's payload (a function's name; empty when roles changed). Must not block.</param>
    /// <param name="connectionChanged">Called with true when listening has begun (also again) and with false when it is lost. Must not block.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(Action<string> changed, Action<bool> connectionChanged, CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(
                    changed,
                    connected: () =>
                    {
                        pause = FirstPause;
                        IsConnected = true;
                        connectionChanged(true);
                    },
                    cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception exception) when (exception is NpgsqlException or IOException or TimeoutException)
            {
                ListeningFailed(logger, exception.Message, pause.TotalMilliseconds);
            }
            finally
            {
                if (IsConnected)
                {
                    IsConnected = false;
                    connectionChanged(false);
                }
            }

            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks));
        }
    }

    private async Task ListenAsync(Action<string> changed, Action connected, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        connection.Notification += (_, notification) => changed(notification.Payload);
        await using (var listen = new NpgsqlCommand("listen " + channel, connection))
        {
            await listen.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }

        connected();
        await using var probe = new NpgsqlCommand("select 1", connection);
        while (true)
        {
            // A peer that vanished without a word is only noticed by asking it something.
            if (!await connection.WaitAsync(ProbeInterval, cancellationToken).ConfigureAwait(false))
            {
                await probe.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    [LoggerMessage(4101, LogLevel.Warning, "Listening for changes failed ({Reason}); trying again in {PauseMs} ms, polling meanwhile.")]
    private static partial void ListeningFailed(ILogger logger, string reason, double pauseMs);
}
