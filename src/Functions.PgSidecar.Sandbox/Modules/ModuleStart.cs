using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// Starts a module once and keeps its state. Its start function and a reactor's <c>_initialize</c> run here and never again, unless their
/// state can't be kept.
/// </summary>
internal sealed class ModuleStart(Module module, CompilationResult compiled, string name, GuestLimits limits)
    : FirstStart<ModuleState>(name, limits)
{
    /// <summary>Values in the state that would be different each time; set on completion.</summary>
    public VolatileValue Drawn { get; private set; }

    /// <inheritdoc/>
    protected override ModuleState Start(SandboxThread thread)
    {
        var initial = ModuleState.Initial(compiled, Limits.MemoryBytes, startsEachTime: false);
        try
        {
            using var started = initial.Instantiate(module, compiled.Plan, Limits.MemoryBytes);
            if (!compiled.Plan.Starts)
                return initial;
            var tables = Tables(started);
            var process = Run(started, thread, environment =>
            {
                started.HostState = environment;
                ModuleCall.Start(started, compiled.Plan);
            });
            if (compiled.Plan.CanBeKept && tables.Zip(Tables(started)).All(static pair => pair.First.AsSpan().SequenceEqual(pair.Second)))
            {
                Drawn = process.Drawn;
                return ModuleState.Of(started, compiled.Plan);
            }
        }
        catch
        {
            initial.Dispose();
            throw;
        }
        initial.Dispose();
        return ModuleState.Initial(compiled, Limits.MemoryBytes, startsEachTime: true);
    }

    /// <summary>The contents of all tables. All are tables of functions: with others the module's state can't be kept anyway.</summary>
    private List<nint[]> Tables(Instance started) =>
        compiled.Plan.CanBeKept
            ? [.. Enumerable.Range(0, compiled.Plan.Tables).Select(table => started.ReadFunctionTable(ModuleRewriter.TableExport(table)))]
            : [];
}
