using System.Diagnostics;
using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// Starts a module once, under limits, and keeps its state. Its start function and a reactor's <c>_initialize</c> run here and never again,
/// unless their state can't be kept. They get no event, no variables and no secrets, because everything that they read may stay in the
/// state.
/// </summary>
internal sealed class ModuleStart(Module module, CompilationResult compiled, string name, GuestLimits limits)
    : ISandboxWork,
        IInterruptible,
        IModuleHost
{
    private const int MaxLog = 4096;

    private readonly object gate = new();
    private readonly TaskCompletionSource<ModuleState> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly StringBuilder log = new();
    private Instance? instance;
    private InterruptReason? stop;

    public Task<ModuleState> Completion => completion.Task;

    /// <summary>Values in the state that would be different each time; set on completion.</summary>
    public VolatileValue Drawn { get; private set; }

    public void Execute(SandboxThread thread)
    {
        try
        {
            completion.SetResult(Start(thread));
        }
        catch (WasmTrapException trap)
        {
            completion.SetException(new WasmCompileException(Describe(trap) + Notes()));
        }
        catch (Exception e) when (e is WasmLinkException or MemoryLimitException)
        {
            completion.SetException(new WasmCompileException(e.Message));
        }
        catch (WasiExitException exit)
        {
            completion.SetException(new WasmCompileException($"The module exited with code {exit.Code} while it started.{Notes()}"));
        }
        catch (GuestException e)
        {
            completion.SetException(new WasmCompileException(e.Message + Notes()));
        }
        catch (Exception e)
        {
            completion.SetException(e);
        }
    }

    public void Interrupt(InterruptReason reason)
    {
        lock (gate)
        {
            stop ??= reason;
            instance?.Interrupt((int)reason);
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>Keeps log lines for the message of a failure.</summary>
    public void Log(GuestLogLevel level, string line)
    {
        if (log.Length < MaxLog)
            log.AppendLine(line);
    }

    public OperationEnd Call(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload) =>
        throw new GuestException(new GuestError("Error", $"'{name}' is not available while the module starts; use it in the handler."));

    public void Sleep(TimeSpan time)
    {
        lock (gate)
        {
            // Only an interrupt wakes it up early.
            if (stop is null)
                Monitor.Wait(gate, time < WasmRun.MaxSleep ? time : WasmRun.MaxSleep);
            if (stop is { } reason)
                throw new WasmTrapException(TrapKind.Interrupted, interruptReason: (int)reason);
        }
    }

    /// <summary>Starts the module and returns the state that each run begins with.</summary>
    private ModuleState Start(SandboxThread thread)
    {
        var initial = ModuleState.Initial(compiled, limits.MemoryBytes, startsEachTime: false);
        try
        {
            using var started = initial.Instantiate(module, compiled.Plan, limits.MemoryBytes);
            if (!compiled.Plan.Starts)
                return initial;
            var tables = Tables(started);
            Run(started, thread);
            if (compiled.Plan.CanBeKept && tables.Zip(Tables(started)).All(static pair => pair.First.AsSpan().SequenceEqual(pair.Second)))
            {
                Drawn = ((WasiProcess)started.HostState!).Drawn;
                return ModuleState.Of(started, compiled.Plan);
            }
        }
        catch
        {
            initial.Dispose();
            throw;
        }
        initial.Dispose();
        return ModuleState.Initial(compiled, limits.MemoryBytes, startsEachTime: true);
    }

    /// <summary>Runs the start. When it returns, the watchdog no longer touches the instance.</summary>
    private void Run(Instance started, SandboxThread thread)
    {
        lock (gate)
            instance = started;
        if (limits.Fuel is { } fuel)
            started.Fuel = fuel;
        started.HostState = new WasiProcess(started, this) { Arguments = [WasiProcess.Terminated(name)], LogsOutput = true };
        var deadline = Stopwatch.GetTimestamp() + (long)(limits.Timeout.TotalSeconds * Stopwatch.Frequency);
        thread.Enter(this, deadline, limits.CpuTime is { } cpu ? (long)cpu.TotalNanoseconds : long.MaxValue);
        try
        {
            ModuleCall.Start(started, compiled.Plan);
        }
        finally
        {
            thread.Leave();
        }
    }

    /// <summary>The contents of all tables. All are tables of functions: with others the module's state can't be kept anyway.</summary>
    private List<nint[]> Tables(Instance started) =>
        compiled.Plan.CanBeKept
            ? [.. Enumerable.Range(0, compiled.Plan.Tables).Select(table => started.ReadFunctionTable(ModuleRewriter.TableExport(table)))]
            : [];

    private string Describe(WasmTrapException trap) =>
        trap.Kind switch
        {
            TrapKind.Interrupted when stop == InterruptReason.CpuLimit => "The module uses more CPU time to start than cpu_ms allows.",
            TrapKind.OutOfFuel => "The module executes more instructions to start than fuel allows.",
            TrapKind.Interrupted => "The module takes longer than its time limit to start.",
            _ when instance?.MemoryLimitReached == true => "The module needs more memory than memory_mb allows to start.",
            _ => $"The module trapped while it started: {trap.Message}.",
        };

    private string Notes() => log.Length > 0 ? $"\nIts log: {log.ToString().TrimEnd()}" : "";
}
