using Microsoft.Extensions.Logging.Console;

namespace Functions.PgSidecar.Cli;

/// <summary>The sidecar's own log: one line per entry, on standard error.</summary>
internal static class Logging
{
    /// <summary>Adds it.</summary>
    public static void Configure(ILoggingBuilder logging)
    {
        logging.ClearProviders();
        logging.AddSimpleConsole(options =>
        {
            options.SingleLine = true;
            options.UseUtcTimestamp = true;
            options.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
        });
        // Standard output is for the results of commands.
        logging.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
        logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        logging.AddFilter("Microsoft.Hosting", LogLevel.Warning);
        logging.AddFilter("Npgsql", LogLevel.Warning);
    }
}
