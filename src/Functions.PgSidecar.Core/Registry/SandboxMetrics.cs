using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Resources that programs use in this process: memory, threads, compiled code.</summary>
internal sealed class SandboxMetrics(MemoryBudget memory, JavaScriptEngine engine, WasmEngine modules, ProgramCache programs)
    : IMetricsSource
{
    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        meter.CreateObservableGauge(
            "functions_sandbox_memory_bytes",
            () => memory.Used,
            "By",
            "Memory of all invocations together: instances, idle ones included, bodies and results."
        );
        meter.CreateObservableGauge(
            "functions_sandbox_memory_limit_bytes",
            () => memory.Limit,
            "By",
            "The limit of that memory (PGFN_MEMORY_LIMIT)."
        );
        meter.CreateObservableGauge(
            "functions_sandbox_threads",
            () => (long)engine.ThreadCount,
            null,
            "Threads that run functions in JavaScript."
        );
        meter.CreateObservableGauge(
            "functions_module_threads",
            () => (long)modules.ThreadCount,
            null,
            "Threads that run WebAssembly modules, waiting ones included."
        );
        meter.CreateObservableGauge(
            "functions_images",
            static () => 1L + WasmEngine.LoadedModules,
            null,
            "Compiled images that the process holds: the JavaScript engine's, and one for each module that is loaded."
        );
        meter.CreateObservableCounter(
            "functions_program_loads_total",
            () => programs.Loads,
            null,
            "Compiled programs that were loaded from the registry."
        );
        meter.CreateObservableCounter(
            "functions_program_load_seconds_total",
            () => programs.LoadTime.TotalSeconds,
            "s",
            "Time spent loading these programs."
        );
    }
}
