using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Code;

/// <summary>The sidecar's own log of the code of functions in buckets, event ids 4200 to 4299.</summary>
internal static partial class CodeLog
{
    [LoggerMessage(
        4200,
        LogLevel.Warning,
        "A copy of the code of function '{Function}' version {Version} can't be used; the other one is read if there is one: {Reason}"
    )]
    public static partial void CopyUnusable(ILogger logger, string function, int version, string reason);

    [LoggerMessage(4201, LogLevel.Information, "The code of function '{Function}' version {Version} is moved: {Target}")]
    public static partial void Moved(ILogger logger, string function, int version, string target);

    [LoggerMessage(
        4202,
        LogLevel.Warning,
        "Could not move the code of function '{Function}' version {Version} ({Target}); it stays where it is, and the move is tried again in "
            + "30 s: {Reason}"
    )]
    public static partial void NotMoved(ILogger logger, string function, int version, string target, string reason);

    [LoggerMessage(
        4203,
        LogLevel.Warning,
        "Could not move code of functions, or remove objects with code that no version has; trying again in {Delay}: {Reason}"
    )]
    public static partial void Failed(ILogger logger, TimeSpan delay, string reason);

    [LoggerMessage(
        4204,
        LogLevel.Warning,
        "Could not record in functions.versions that a copy of the code of function '{Function}' version {Version} can't be used: {Reason}"
    )]
    public static partial void NotReported(ILogger logger, string function, int version, string reason);
}
