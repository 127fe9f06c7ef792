namespace Functions.PgSidecar.Core.Maintenance;

/// <summary>
/// Work that has to be done again and again and that nobody waits for, such as deleting what has expired. All tasks of a sidecar run one
/// after another (<see cref="MaintenanceWorker"/>), so that an idle sidecar needs one connection for them.
/// </summary>
internal interface IMaintenanceTask
{
    /// <summary>The time from the start of a run to the start of the next one.</summary>
    TimeSpan Interval { get; }

    /// <summary>Does a part of the work, at most about a second long, because the other tasks wait for it.</summary>
    /// <returns>Whether more is left. Then it runs again as soon as the other tasks that are due have run.</returns>
    Task<bool> RunAsync(CancellationToken cancellationToken);

    /// <summary>Logs that a run failed. The next one follows after the interval.</summary>
    void LogFailure(Exception failure);
}
