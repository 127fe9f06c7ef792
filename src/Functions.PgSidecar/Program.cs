using System.CommandLine;
using Functions.PgSidecar.Cli;
using Functions.PgSidecar.Core.Aerodb;
using Functions.PgSidecar.Sandbox.Modules;

// Not a command for people: the sidecar starts itself with it to compile a module in a process that it can kill.
if (args is [var argument] && argument == WasmEngine.CompilerArgument)
{
    WasmEngine.RunCompiler(AerodbImports.Module);
    return 0;
}

var root = new RootCommand("Functions.PgSidecar: runs functions in WebAssembly sandboxes beside PostgreSQL.")
{
    ServeCommand.Create(),
    InstallCommand.Create(),
    MigrateCommand.Create(),
    UninstallCommand.Create(),
    DeployCommand.Create(),
    TokenCommand.Create(),
    HealthCommand.Create(),
    DoctorCommand.Create(),
};

// A shutdown takes as long as PGFN_SHUTDOWN_TIMEOUT allows; System.CommandLine's own timeout is two seconds.
return await root.Parse(Usage.Expand(args))
    .InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = Timeout.InfiniteTimeSpan });
