using Functions.PgSidecar.Postgres.Errors;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>The sidecar's own log of the registry, event ids 4000 to 4999.</summary>
internal static partial class RegistryLog
{
    [LoggerMessage(4001, LogLevel.Information, "Function '{Function}' version {Version} is ready after {Milliseconds} ms")]
    public static partial void Compiled(ILogger logger, string function, int version, int milliseconds);

    [LoggerMessage(4002, LogLevel.Warning, "Function '{Function}' version {Version} does not compile: {Reason}")]
    public static partial void CompileFailed(ILogger logger, string function, int version, string reason);

    [LoggerMessage(
        4003,
        LogLevel.Information,
        "Function '{Function}' version {Version} was compiled by another engine version; compiling it again"
    )]
    public static partial void Recompiling(ILogger logger, string function, int version);

    [LoggerMessage(4004, LogLevel.Warning, "Could not read the function registry; retrying in {Delay}: {Reason}")]
    public static partial void Unreachable(ILogger logger, TimeSpan delay, string reason);

    [LoggerMessage(4005, LogLevel.Error, "Could not load function '{Function}'")]
    public static partial void LoadFailed(ILogger logger, Exception exception, string function);

    [LoggerMessage(4006, LogLevel.Information, "Listening for registry changes")]
    public static partial void Listening(ILogger logger);

    [LoggerMessage(4007, LogLevel.Warning, "Lost the notification connection for registry changes; polling every {Interval} instead")]
    public static partial void NotListening(ILogger logger, TimeSpan interval);

    [LoggerMessage(4008, LogLevel.Warning, "Could not write the heartbeat: {Reason}")]
    public static partial void HeartbeatFailed(ILogger logger, string reason);

    [LoggerMessage(4009, LogLevel.Warning, "Could not preload every function; the others are loaded when they are first called: {Reason}")]
    public static partial void PreloadFailed(ILogger logger, string reason);

    [LoggerMessage(4010, LogLevel.Warning, "The stored artifact of function '{Function}' version {Version} can't be used: {Reason}")]
    public static partial void Unusable(ILogger logger, string function, int version, string reason);

    [LoggerMessage(4011, LogLevel.Warning, "Function '{Function}' version {Version} runs, but its artifact could not be stored: {Reason}")]
    public static partial void NotStored(ILogger logger, string function, int version, string reason);

    [LoggerMessage(
        4013,
        LogLevel.Error,
        "The compilation of function '{Function}' version {Version} failed for a reason of the sidecar's own; trying again in {Delay}"
    )]
    public static partial void CompilationInterrupted(ILogger logger, Exception exception, string function, int version, TimeSpan delay);

    [LoggerMessage(
        4014,
        LogLevel.Warning,
        "Function '{Function}' version {Version} can't be compiled yet; trying again in {Delay}: {Reason}"
    )]
    public static partial void Postponed(ILogger logger, string function, int version, TimeSpan delay, string reason);

    [LoggerMessage(
        4021,
        LogLevel.Error,
        "Function '{Function}' version {Version} is not compiled again: {Attempts} times a sidecar ended while it compiled it. "
            + "Deploy a corrected version, or select functions.retry_version(...)"
    )]
    public static partial void GivenUp(ILogger logger, string function, int version, int attempts);

    [LoggerMessage(
        4022,
        LogLevel.Warning,
        "Function '{Function}' version {Version} is not loaded ahead: a sidecar has begun to load it and not finished. It is "
            + "loaded when it is called"
    )]
    public static partial void NotPreloaded(ILogger logger, string function, int version);

    [LoggerMessage(
        4023,
        LogLevel.Warning,
        "The end of the load of function '{Function}' version {Version} could not be recorded: should this process be killed, it "
            + "counts as a load that ended it: {Reason}"
    )]
    public static partial void LoadNotEnded(ILogger logger, string function, int version, string reason);

    [LoggerMessage(
        4024,
        LogLevel.Warning,
        "Could not release the compilations that this sidecar has not finished; each counts as an attempt: {Reason}"
    )]
    public static partial void NotReleased(ILogger logger, string reason);

    [LoggerMessage(
        4012,
        LogLevel.Warning,
        "Function '{Function}' version {Version} drew random or time values while its module loaded; they are the same in every "
            + "invocation. See functions.versions.info"
    )]
    public static partial void DrewValues(ILogger logger, string function, int version);

    [LoggerMessage(
        4020,
        LogLevel.Critical,
        "This sidecar exits with code 3, because {Reason}. When it is started again, it sets the database up."
    )]
    public static partial void DatabaseReplaced(ILogger logger, string reason);

    /// <summary>What a caller is told when the registry can't be read.</summary>
    public static SidecarException Unreadable(Exception cause) =>
        new(SqlErrorCodes.Unavailable, 503, "The database that holds the functions can't be reached just now; try again.", cause);
}
