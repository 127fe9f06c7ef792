using System.CommandLine;
using Functions.PgSidecar.Postgres.Migrations;
using Npgsql;

namespace Functions.PgSidecar.Cli;

/// <summary><c>pgfn uninstall</c>: runs <c>functions.uninstall</c>, and removes what remains if the schema was dropped by hand.</summary>
internal static class UninstallCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var force = new Option<bool>("--force") { Description = "Also uninstall while sidecars serve the database." };
        var cascade = new Option<bool>("--cascade")
        {
            Description = "Also drop objects of the application that use the schema " + "'functions', such as policies.",
        };
        var roles = new Option<bool>("--roles")
        {
            Description = "Also drop anon, authenticated, service_role and the logins of functions, " + "unless something else uses them.",
        };
        var queues = new Option<bool>("--queues") { Description = "Also drop queues that have messages, and the messages." };
        var command = new Command(
            "uninstall",
            "Remove Functions.PgSidecar from the database, with all functions, secrets, events and logs."
        )
        {
            force,
            cascade,
            queues,
            roles,
        };
        command.SetAction(
            (parsed, cancellationToken) =>
                UninstallAsync(
                    $$"""
                    {"force": {{Json(parsed.GetValue(force))}}, "cascade": {{Json(parsed.GetValue(cascade))}}, "queues": {{Json(
                        parsed.GetValue(queues)
                    )}}, "roles": {{Json(parsed.GetValue(roles))}}}
                    """,
                    cancellationToken
                )
        );
        return command;
    }

    private static async Task<int> UninstallAsync(string options, CancellationToken cancellationToken)
    {
        if (Settings.Load() is not { } settings)
            return Settings.ExitCode;
        // The detail lists the objects that prevent it.
        var connection = new NpgsqlConnectionStringBuilder(settings.ConnectionString) { IncludeErrorDetail = true };
        await using var dataSource = Database.CreateDataSource(settings with { ConnectionString = connection.ConnectionString });
        try
        {
            var done = await Uninstaller.RunAsync(dataSource, options, cancellationToken);
            foreach (var line in done)
                Console.WriteLine(line);
            if (done.Count == 0)
                Console.WriteLine("Functions.PgSidecar is not installed in this database.");
            return 0;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedFunction)
        {
            await Console.Error.WriteLineAsync("uninstall: an older version set up this database; run 'pgfn migrate' first.");
            return 1;
        }
        catch (PostgresException e)
        {
            await Console.Error.WriteLineAsync(
                $"uninstall: {e.MessageText}{(e.Detail is null ? "" : "\n" + e.Detail)}{(e.Hint is null ? "" : "\n" + e.Hint)}"
            );
            return 1;
        }
        catch (NpgsqlException e)
        {
            await Console.Error.WriteLineAsync($"DATABASE_URL: {e.Message}");
            return Settings.ExitCode;
        }
    }

    private static string Json(bool value) => value ? "true" : "false";
}
