namespace Functions.PgSidecar.Cli;

/// <summary>The sidecar's own log: one line an entry, on standard error.</summary>
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
        logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        logging.AddFilter("Microsoft.Hosting", LogLevel.Warning);
        logging.AddFilter("Npgsql", LogLevel.Warning);
    }
}
