using System.CommandLine;
using Functions.PgSidecar.Cli;

var root = new RootCommand("Functions.PgSidecar: runs functions in WebAssembly sandboxes beside PostgreSQL.")
{
    ServeCommand.Create(),
    MigrateCommand.Create(),
    UninstallCommand.Create(),
    DeployCommand.Create(),
    TokenCommand.Create(),
};
// A stop takes as long as PGFN_SHUTDOWN_TIMEOUT lets it; System.CommandLine's own patience is two seconds.
return await root.Parse(Usage.Expand(args)).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = Timeout.InfiniteTimeSpan });
