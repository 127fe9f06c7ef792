using System.Diagnostics;
using System.Text;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// Starts a guest for the first time, at deploy, under limits. It gets no event, no variables and no secrets, because everything that it
/// reads may stay in its state.
/// </summary>
/// <typeparam name="T">What the start results in.</typeparam>
internal abstract class FirstStart<T>(string name, GuestLimits limits) : ISandboxWork, IInterruptible, IModuleHost
{
    private const int MaxLog = 4096;

    private readonly object gate = new();
    private readonly TaskCompletionSource<T> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly StringBuilder log = new();
    private Store? store;
    private InterruptReason? stop;

    public Task<T> Completion => completion.Task;

    protected GuestLimits Limits => limits;

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
            store?.Interrupt((int)reason);
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

    /// <summary>Starts the guest.</summary>
    protected abstract T Start(SandboxThread thread);

    /// <summary>Runs the start. When it returns, the watchdog no longer touches the store.</summary>
    /// <param name="started">The guest's store.</param>
    /// <param name="thread">The thread.</param>
    /// <param name="start">Runs the guest's code.</param>
    /// <returns>The environment of the start.</returns>
    protected WasiProcess Run(Store started, SandboxThread thread, Action<WasiProcess> start)
    {
        lock (gate)
            store = started;
        if (limits.Fuel is { } fuel)
            started.Fuel = fuel;
        var process = new WasiProcess(started, this) { Arguments = [WasiProcess.Terminated(name)], LogsOutput = true };
        var deadline = Stopwatch.GetTimestamp() + (long)(limits.Timeout.TotalSeconds * Stopwatch.Frequency);
        thread.Enter(this, deadline, limits.CpuTime is { } cpu ? (long)cpu.TotalNanoseconds : long.MaxValue);
        try
        {
            start(process);
        }
        finally
        {
            thread.Leave();
        }
        return process;
    }

    private string Describe(WasmTrapException trap) =>
        trap.Kind switch
        {
            TrapKind.Interrupted when stop == InterruptReason.CpuLimit => "The module uses more CPU time to start than cpu_ms allows.",
            TrapKind.OutOfFuel => "The module executes more instructions to start than fuel allows.",
            TrapKind.Interrupted => "The module takes longer than its time limit to start.",
            _ when store?.MemoryLimitReached == true => "The module needs more memory than memory_mb allows to start.",
            _ => $"The module trapped while it started: {trap.Message}.",
        };

    private string Notes() => log.Length > 0 ? $"\nIts log: {log.ToString().TrimEnd()}" : "";
}
