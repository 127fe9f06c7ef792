using System.CommandLine;
using Functions.PgSidecar.Cli;

var root = new RootCommand("Functions.PgSidecar: runs functions in WebAssembly sandboxes beside PostgreSQL.")
{
    ServeCommand.Create(),
    MigrateCommand.Create(),
    DeployCommand.Create(),
    TokenCommand.Create(),
};
return await root.Parse(Usage.Expand(args)).InvokeAsync();
