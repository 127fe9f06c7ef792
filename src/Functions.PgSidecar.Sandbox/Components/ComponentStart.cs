using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Components;

/// <summary>
/// Instantiates a component once at deploy, so that imports that do not exist and limits that are too small are reported then. Nothing of
/// it is kept: every run starts its component again.
/// </summary>
internal sealed class ComponentStart(ComponentExecutable executable, string name, GuestLimits limits) : FirstStart<bool>(name, limits)
{
    /// <inheritdoc/>
    protected override bool Start(SandboxThread thread)
    {
        using var started = executable.NewStore(Limits.MemoryBytes);
        Run(started, thread, environment =>
        {
            started.HostState = executable.NewProcess(environment);
            ((ComponentInstance)started).Instantiate();
        });
        return true;
    }
}
