namespace Functions.PgSidecar.Core.Notifications;

/// <summary>
/// A feature's handler of PostgreSQL notifications. The feature registers it with the container; <see cref="NotificationWorker"/> listens
/// for all handlers over one connection. A notification only says that something may have changed: handlers query the state themselves, and
/// also poll.
/// </summary>
internal interface INotificationHandler
{
    /// <summary>The channel; a plain identifier.</summary>
    string ChannelName { get; }

    /// <summary>Handles a notification. Must not block.</summary>
    void Notified(string payload);

    /// <summary>
    /// Listening has started or resumed (true), or was lost (false). Notifications in between were missed. Must not block.
    /// </summary>
    void ListeningChanged(bool isListening);
}
