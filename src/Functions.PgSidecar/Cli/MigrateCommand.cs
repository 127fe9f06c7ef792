using System.CommandLine;

namespace Functions.PgSidecar.Cli;

/// <summary><c>pgfn migrate</c>: installs or upgrades the schema, and exits.</summary>
internal static class MigrateCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("migrate", "Install or upgrade the schema 'functions' in the database, and exit.");
        command.SetAction(
            static async (_, cancellationToken) =>
            {
                if (Settings.Load() is not { } options)
                    return Settings.ExitCode;
                using var logging = LoggerFactory.Create(Logging.Configure);
                await using var dataSource = Database.CreateDataSource(options);
                return
                    await Database.MigrateAsync(dataSource, options.Events.OnRestore, logging.CreateLogger("migrate"), cancellationToken)
                        is null
                    ? Settings.ExitCode
                    : 0;
            }
        );
        return command;
    }
}
