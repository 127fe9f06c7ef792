using System.CommandLine;
using Functions.PgSidecar.Postgres.Migrations;
using Npgsql;

namespace Functions.PgSidecar.Cli;

/// <summary><c>pgfn uninstall</c>: what <c>functions.uninstall</c> does, and what is left where its schema was dropped by hand.</summary>
internal static class UninstallCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var force = new Option<bool>("--force") { Description = "Also while sidecars serve the database." };
        var cascade = new Option<bool>("--cascade") { Description = "Also drop what of the application's uses the schema 'functions', such as policies." };
        var roles = new Option<bool>("--roles") { Description = "Also drop anon, authenticated, service_role and the logins of functions, unless something else uses them." };
        var command = new Command("uninstall", "Take everything of Functions.PgSidecar out of the database: functions, secrets, events and logs are gone then.")
        {
            force, cascade, roles,
        };
        command.SetAction((parsed, cancellationToken) => UninstallAsync(
            $$"""{"force": {{Json(parsed.GetValue(force))}}, "cascade": {{Json(parsed.GetValue(cascade))}}, "roles": {{Json(parsed.GetValue(roles))}}}""", cancellationToken));
        return command;
    }

    private static async Task<int> UninstallAsync(string options, CancellationToken cancellationToken)
    {
        if (Settings.Load() is not { } settings)
            return Settings.ExitCode;
        // The detail lists what is in the way.
        var connection = new NpgsqlConnectionStringBuilder(settings.ConnectionString) { IncludeErrorDetail = true };
        await using var dataSource = Database.CreateDataSource(settings with { ConnectionString = connection.ConnectionString });
        try
        {
            var done = await Uninstaller.RunAsync(dataSource, options, cancellationToken);
            foreach (var line in done)
                Console.WriteLine(line);
            if (done.Count == 0)
                Console.WriteLine("There is nothing of Functions.PgSidecar in this database.");
            return 0;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedFunction)
        {
            await Console.Error.WriteLineAsync("uninstall: an older version set up this database; run 'pgfn migrate' first.");
            return 1;
        }
        catch (PostgresException e)
        {
            await Console.Error.WriteLineAsync($"uninstall: {e.MessageText}{(e.Detail is null ? "" : "\n" + e.Detail)}{(e.Hint is null ? "" : "\n" + e.Hint)}");
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
