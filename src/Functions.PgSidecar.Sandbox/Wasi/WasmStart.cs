using System.Diagnostics;
using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>
/// Starts a module once, under limits, and takes the snapshot: its start function and a reactor's <c>_initialize</c> run here and never again. They have no
/// event, no variables and no secrets, for all they see stays in the snapshot.
/// </summary>
internal sealed class WasmStart(CompiledImage image, HostFunctions functions, string name, GuestLimits limits)
    : ISandboxWork, IInterruptible, IModuleHost
{
    private const int MaxLog = 4096;

    private readonly object gate = new();
    private readonly TaskCompletionSource<InstanceSnapshot> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly StringBuilder log = new();
    private WasmInstance? instance;
    private InterruptReason? stop;

    public Task<InstanceSnapshot> Completion => completion.Task;

    public void Execute(SandboxThread thread)
    {
        try
        {
            var deadline = Stopwatch.GetTimestamp() + (long)(limits.Timeout.TotalSeconds * Stopwatch.Frequency);
            thread.Enter(this, deadline, limits.CpuTime is { } cpu ? (long)cpu.TotalNanoseconds : long.MaxValue);
            using var started = Start(thread);
            completion.SetResult(started.Snapshot());
        }
        catch (WasmTrapException trap)
        {
            completion.SetException(new WasmCompileException(Describe(trap) + Notes()));
        }
        catch (WasmLinkException e)
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

    /// <summary>What it logs matters only where it fails.</summary>
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
            // Nothing but an interrupt wakes it up before its time.
            if (stop is null)
                Monitor.Wait(gate, time < WasmRun.MaxSleep ? time : WasmRun.MaxSleep);
            if (stop is { } reason)
                throw new WasmTrapException(TrapKind.Interrupted, interruptReason: (int)reason);
        }
    }

    /// <summary>The instance is out of the watchdog's reach when this returns.</summary>
    private WasmInstance Start(SandboxThread thread)
    {
        try
        {
            var started = image.Start(functions, (int)(limits.MemoryBytes / LinearMemory.PageBytes), created =>
            {
                lock (gate)
                {
                    instance = created;
                    if (stop is { } reason)
                        created.Interrupt((int)reason);
                }
                created.Fuel = limits.Fuel ?? 0;
                created.HostState = new WasiProcess(created, this) { Arguments = [WasiProcess.Terminated(name)], LogsOutput = true };
            });
            started.HostState = null;
            return started;
        }
        finally
        {
            thread.Leave();
        }
    }

    private string Describe(WasmTrapException trap) => trap.Kind switch
    {
        TrapKind.Interrupted when stop == InterruptReason.CpuLimit => "The module uses more CPU time than cpu_ms allows while it starts.",
        TrapKind.OutOfFuel => "The module executes more instructions than fuel allows while it starts.",
        TrapKind.Interrupted => "The module takes longer than its time limit to start.",
        _ when instance?.MemoryLimitReached == true => "The module needs more memory than memory_mb allows to start.",
        _ => $"The module trapped while it started: {trap.Message}.",
    };

    private string Notes() => log.Length > 0 ? $"\nIts log: {log.ToString().TrimEnd()}" : "";
}
