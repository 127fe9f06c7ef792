using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Schedules;

/// <summary>The sidecar's own log of schedules, event ids 7000 to 7099.</summary>
internal static partial class SchedulesLog
{
    [LoggerMessage(7001, LogLevel.Warning, "Could not fire schedules; retrying in {Pause}: {Reason}")]
    public static partial void TickFailed(ILogger logger, TimeSpan pause, string reason);

    [LoggerMessage(
        7002,
        LogLevel.Warning,
        "{Count} times of schedules passed while no sidecar served the database, and are not caught up: "
            + "select * from functions.schedule_runs where status = 'missed';"
    )]
    public static partial void Missed(ILogger logger, int count);

    [LoggerMessage(
        7003,
        LogLevel.Error,
        "Could not compute the times of schedule '{Schedule}', which does not run on this sidecar; retrying in {Pause}. If its time "
            + "zone is missing, install the package tzdata on this machine: {Reason}"
    )]
    public static partial void CannotCompute(ILogger logger, string schedule, TimeSpan pause, string reason);

    [LoggerMessage(7004, LogLevel.Warning, "Could not maintain the record of schedules; retrying in {Interval}: {Reason}")]
    public static partial void MaintenanceFailed(ILogger logger, TimeSpan interval, string reason);
}
