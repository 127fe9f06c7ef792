using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>Runs a function's top level in a new guest, under limits, and takes a snapshot.</summary>
internal sealed partial class Compilation(
    JavaScriptProgram start,
    string fileName,
    string source,
    SourceMap? map,
    GuestLimits limits,
    string? entry
) : ISandboxWork, IInterruptible, IGuestCalls
{
    private readonly TaskCompletionSource<(GuestSnapshot, byte[])> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly StringBuilder log = new();
    private InterruptReason? stop;
    private QuickJs? guest;
    private VolatileValue drawn;

    public Task<(GuestSnapshot Snapshot, byte[] Info)> Completion => completion.Task;

    public bool Finished => false;

    /// <summary>False: the prelude's list of rejections would be in the snapshot, and so in every run's log.</summary>
    public bool TracksRejections => false;

    public double ElapsedMilliseconds
    {
        get
        {
            OnVolatile(VolatileValue.Elapsed);
            return 0;
        }
    }

    public void Execute(SandboxThread thread)
    {
        try
        {
            guest = start.Rent(limits.MemoryBytes);
            var ticks = (long)(limits.Timeout.TotalSeconds * TimeProvider.System.TimestampFrequency);
            var deadline = TimeProvider.System.GetTimestamp() + ticks;
            thread.Enter(this, deadline, limits.CpuTime is { } cpu ? (long)cpu.TotalNanoseconds : long.MaxValue);
            byte[] info;
            try
            {
                info = Run(guest);
            }
            finally
            {
                thread.Leave();
                guest.Suspend();
                guest.Instance.HostState = null;
            }
            var snapshot = GuestSnapshot.Of(guest.Instance);
            if (drawn != VolatileValue.None)
                info = LoadWarnings.AddTo(info, drawn, new LoadTrace(start, fileName, source, map, limits).Find(thread));
            completion.SetResult((snapshot, info));
        }
        catch (WasmTrapException trap)
        {
            completion.SetException(Failure(trap));
        }
        catch (Exception e) when (e is GuestMemoryException or MemoryLimitException)
        {
            completion.SetException(OutOfMemory());
        }
        catch (GuestException e)
        {
            completion.SetException(Failure(e.Error));
        }
        catch (Exception e)
        {
            completion.SetException(e);
        }
        finally
        {
            if (guest is not null)
                start.Return(guest);
        }
    }

    public void Interrupt(InterruptReason reason)
    {
        stop ??= reason;
        guest?.Instance.Interrupt((int)reason);
    }

    public void OnStart(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload) =>
        throw new GuestException(new GuestError("Error", $"'{name}' is not available while the module loads; use it inside the handler."));

    public void OnCancel(int id) { }

    public void OnRespond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows) { }

    public void OnFail(GuestError failure) { }

    public void OnDone(GuestError? background) { }

    public void OnVolatile(VolatileValue value) => drawn |= value;

    /// <summary>Keeps log lines for the message of a failure.</summary>
    public void OnLog(GuestLogLevel level, string message)
    {
        if (log.Length < 4096)
            log.AppendLine(message);
    }

    private byte[] Run(QuickJs instance)
    {
        instance.Begin(this);
        instance.Reseed();
        var randomState = instance.RandomState;
        var promise = instance.Eval(Encoding.UTF8.GetBytes(source), fileName, module: true);
        instance.RunJobs();
        if (!instance.TryGetSettled(promise, out var module))
            throw NeverSettles();
        var export = entry is null ? instance.Handles.Undefined : instance.NewString(Encoding.UTF8.GetBytes(entry));
        var description = instance.Call(instance.Handles.Bind, [module, export]);
        var info = instance.GetUtf8(description);
        instance.Release(description);
        instance.Release(promise);
        instance.RunJobs();
        if (instance.RandomState != randomState)
            OnVolatile(VolatileValue.RandomNumber);
        instance.FillHoles();
        return info;
    }

    private static GuestException NeverSettles() =>
        new(new GuestError("Error", "The module's top-level await never settles: nothing can be awaited while it loads."));

    [return: NotNullIfNotNull(nameof(text))]
    private string? Translate(string? text) => map is null ? text : map.Translate(text);

    private JavaScriptCompileException Failure(WasmTrapException trap) =>
        trap.Kind switch
        {
            TrapKind.Interrupted => new JavaScriptCompileException(
                stop == InterruptReason.CpuLimit
                    ? "The module's top level uses more CPU time than cpu_ms allows."
                    : "The module's top level runs longer than its time limit.",
                fileName
            ),
            _ when guest!.Instance.MemoryLimitReached => OutOfMemory(),
            _ => new JavaScriptCompileException($"The module's top level trapped: {trap.Message}.", fileName),
        };

    private JavaScriptCompileException OutOfMemory() => new("The module's top level needs more memory than memory_mb allows.", fileName);

    private JavaScriptCompileException Failure(GuestError error)
    {
        var notes = log.Length > 0 ? $"\nIts log: {Translate(log.ToString().TrimEnd())}" : "";
        var message = $"{error.Name}: {error.Message}{notes}";
        var stack = Translate(error.Stack);
        var match = error.Stack is null ? null : Place().Match(error.Stack);
        if (match is not { Success: true })
            return new JavaScriptCompileException(message, fileName, stack: stack);
        int Number(string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
        var place = map?.Find(Number("line"), Number("column")) ?? new SourcePlace(fileName, Number("line"), Number("column"));
        return new JavaScriptCompileException(message, place.File, place.Line, place.Column, stack);
    }

    /// <summary>The first place that a stack names, <c>hello.js:3:5</c>.</summary>
    [GeneratedRegex(@":(?<line>\d{1,9}):(?<column>\d{1,9})\)?\s*$", RegexOptions.Multiline)]
    private static partial Regex Place();
}
