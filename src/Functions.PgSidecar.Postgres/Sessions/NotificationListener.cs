using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>
/// Listens on notification channels over one connection, which it reopens with backoff when it is lost. Notifications sent in between are
/// lost: the owner must reload everything when it is connected again, and poll while it is not.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="channels">The channels; plain identifiers.</param>
/// <param name="logger">Where a lost connection is reported.</param>
/// <param name="time">The clock of the backoff.</param>
public sealed partial class NotificationListener(
    NpgsqlDataSource dataSource,
    IReadOnlyCollection<string> channels,
    ILogger<NotificationListener> logger,
    TimeProvider time
)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(15);

    private bool isConnected;

    /// <summary>Listens until cancelled.</summary>
    /// <param name="notified">Called with the channel and the payload of each notification. Must not block.</param>
    /// <param name="connectionChanged">Called with true when listening has begun (also again) and with false when it is lost. Must not
    /// block.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(Action<string, string> notified, Action<bool> connectionChanged, CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(
                        notified,
                        connected: () =>
                        {
                            pause = FirstPause;
                            isConnected = true;
                            connectionChanged(true);
                        },
                        cancellationToken
                    )
                    .ConfigureAwait(false);
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
                if (isConnected)
                {
                    isConnected = false;
                    connectionChanged(false);
                }
            }

            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks));
        }
    }

    private async Task ListenAsync(Action<string, string> notified, Action connected, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        connection.Notification += (_, notification) => notified(notification.Channel, notification.Payload);
        await using (var listen = new NpgsqlCommand(string.Join("; ", channels.Select(static channel => "listen " + channel)), connection))
        {
            await listen.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }

        connected();
        await using var probe = new NpgsqlCommand("select 1", connection);
        while (true)
        {
            // A peer that vanished silently is only noticed by sending it something.
            if (!await connection.WaitAsync(ProbeInterval, cancellationToken).ConfigureAwait(false))
            {
                await probe.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    [LoggerMessage(
        4101,
        LogLevel.Warning,
        "Listening for notifications failed ({Reason}); trying again in {PauseMs} ms, polling meanwhile."
    )]
    private static partial void ListeningFailed(ILogger logger, string reason, double pauseMs);
}
