using System.CommandLine;
using System.Net.Sockets;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Http;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Microsoft.AspNetCore.Connections;

namespace Functions.PgSidecar.Cli;

/// <summary>
/// <c>pgfn serve</c>: migrates the database, as its owner, and serves functions until it is stopped. As a login that only serves it checks
/// that the owner has migrated the database.
/// </summary>
internal static class ServeCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("serve", "Migrate the database (as its owner) and serve functions until stopped.");
        command.SetAction(
            static (_, cancellationToken) =>
            {
                ProcessHardening.Apply();
                return ServeAsync(cancellationToken);
            }
        );
        return command;
    }

    private static async Task<int> ServeAsync(CancellationToken cancellationToken)
    {
        if (Settings.Load() is not { } options)
            return Settings.ExitCode;
        int serverVersion;
        await using (var migrating = Database.CreateDataSource(options))
        {
            using var logging = LoggerFactory.Create(Logging.Configure);
            if (
                await Database.MigrateOrCheckAsync(migrating, options.Events.OnRestore, logging.CreateLogger("pgfn"), cancellationToken)
                is not { } report
            )
                return Settings.ExitCode;
            serverVersion = report.ServerVersion;
            if (
                options.ReplicationConnectionString == options.ConnectionString
                && !await Database.MayReplicateAsync(migrating, cancellationToken)
            )
                HostLog.NoReplicationLogin(logging.CreateLogger("pgfn"));
        }
        await using var dataSource = Database.CreateDataSource(options, serverVersion);
        try
        {
            await using var app = await Sidecar.BuildAsync(options, dataSource, cancellationToken);
            await app.Services.GetRequiredService<FunctionDatabase>().CheckAsync("anon", cancellationToken);
            await app.StartAsync(cancellationToken);
            await WarmUpRequest.RunAsync(app.Urls, cancellationToken);
            HostLog.Serving(app.Logger, typeof(Sidecar).Assembly.GetName().Version!.ToString(3), string.Join(", ", app.Urls));
            await app.WaitForShutdownAsync(cancellationToken);
            return app.Services.GetRequiredService<SidecarEnd>().ExitCode;
        }
        catch (FunctionSqlException e)
        {
            await Console.Error.WriteLineAsync($"DATABASE_URL: {e.Message}");
            return Settings.ExitCode;
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
