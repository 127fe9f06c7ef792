using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Core.Notifications;

/// <summary>Registers the listener for PostgreSQL notifications.</summary>
internal static class NotificationServices
{
    /// <summary>Adds the worker that listens for all handlers.</summary>
    public static IServiceCollection AddNotifications(this IServiceCollection services) => services.AddHostedService<NotificationWorker>();

    /// <summary>Adds a handler that is also registered as a service of its own.</summary>
    public static IServiceCollection AddNotificationHandler<THandler>(this IServiceCollection services)
        where THandler : class, INotificationHandler =>
        services.AddSingleton<INotificationHandler>(static provider => provider.GetRequiredService<THandler>());
}
