using System.CommandLine;
using System.Net.Sockets;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Http;
using Functions.PgSidecar.Sandbox.JavaScript;
using Microsoft.AspNetCore.Connections;

namespace Functions.PgSidecar.Cli;

/// <summary><c>pgfn serve</c>: migrates the database and serves functions until it is stopped.</summary>
internal static class ServeCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("serve", "Migrate the database and serve functions until stopped.");
        command.SetAction(static (_, cancellationToken) =>
        {
            ProcessHardening.Apply();
            return ServeAsync(cancellationToken);
        });
        return command;
    }

    private static async Task<int> ServeAsync(CancellationToken cancellationToken)
    {
        if (Settings.Load() is not { } options)
            return Settings.ExitCode;
        await using var dataSource = Database.CreateDataSource(options);
        using (var logging = LoggerFactory.Create(Logging.Configure))
        {
            if (!await Database.MigrateAsync(dataSource, logging.CreateLogger("pgfn"), cancellationToken))
                return Settings.ExitCode;
        }
        try
        {
            await using var app = await Sidecar.BuildAsync(options, dataSource, cancellationToken);
            await app.StartAsync(cancellationToken);
            await Rehearsal.RunAsync(app.Urls, cancellationToken);
            HostLog.MemoryGuard(app.Logger, app.Services.GetRequiredService<JavaScriptEngine>().HasGuardPages ? "guard pages" : "comparing addresses");
            HostLog.Serving(app.Logger, typeof(Sidecar).Assembly.GetName().Version!.ToString(3), string.Join(", ", app.Urls));
            await app.WaitForShutdownAsync(cancellationToken);
            return 0;
        }
        catch (SidecarException e)
        {
            await Console.Error.WriteLineAsync($"{e.Code}: {e.Message}");
            return Settings.ExitCode;
        }
        catch (IOException e) when (e.InnerException is AddressInUseException or SocketException)
        {
            await Console.Error.WriteLineAsync($"PGFN_LISTEN: {e.Message}");
            return Settings.ExitCode;
        }
    }
}
