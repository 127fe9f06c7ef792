using Functions.PgSidecar.Postgres.Sessions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Core.Notifications;

/// <summary>Listens on the channels of all handlers over one connection, and passes notifications on.</summary>
internal sealed class NotificationWorker(
    NpgsqlDataSource dataSource,
    IEnumerable<INotificationHandler> handlers,
    TimeProvider time,
    ILogger<NotificationListener> logger
) : BackgroundService
{
    private readonly ILookup<string, INotificationHandler> handlers = handlers.ToLookup(
        static handler => handler.ChannelName,
        StringComparer.Ordinal
    );

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string[] channels = [.. handlers.Select(static group => group.Key)];
        return new NotificationListener(dataSource, channels, logger, time).RunAsync(Notify, ChangeListening, stoppingToken);
    }

    private void Notify(string channel, string payload)
    {
        foreach (var handler in handlers[channel])
            handler.Notified(payload);
    }

    private void ChangeListening(bool isListening)
    {
        foreach (var handler in handlers.SelectMany(static group => group))
            handler.ListeningChanged(isListening);
    }
}
