using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// Finds where a module's top level reads volatile values. It runs the top level once more, in a guest that is discarded, and reads the
/// stack at each such call.
/// </summary>
internal sealed partial class LoadTrace(JavaScriptProgram start, string fileName, string source, SourceMap? map, GuestLimits limits)
    : IInterruptible,
        IGuestCalls
{
    /// <summary>The time limit of the search, which must not delay a deploy much.</summary>
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(2);

    /// <summary>The most characters of a stack that are read.</summary>
    private const int MostStack = 16 * 1024;

    /// <summary>Records the stack of the first call of Math.random, which does not call the host.</summary>
    private static readonly byte[] Watch =
        """
        (() => {
          const { random } = Math, { Error } = globalThis;
          globalThis.__drawn = "";
          Math.random = () => {
            globalThis.__drawn ||= new Error().stack;
            return random();
          };
        })();
        """u8.ToArray();

    private readonly Dictionary<VolatileValue, string> places = [];
    private QuickJs? guest;
    private bool isLooking;

    /// <inheritdoc/>
    public bool Finished => false;

    /// <inheritdoc/>
    public bool TracksRejections => false;

    /// <inheritdoc/>
    public double ElapsedMilliseconds
    {
        get
        {
            OnVolatile(VolatileValue.Elapsed);
            return 0;
        }
    }

    /// <summary>Finds where each kind of value is first read; kinds with an unknown place are left out.</summary>
    public IReadOnlyDictionary<VolatileValue, string> Find(SandboxThread thread)
    {
        try
        {
            guest = start.Rent(limits.MemoryBytes);
            var time = limits.Timeout < MostTime ? limits.Timeout : MostTime;
            var deadline = TimeProvider.System.GetTimestamp() + (long)(time.TotalSeconds * TimeProvider.System.TimestampFrequency);
            thread.Enter(this, deadline, limits.CpuTime is { } cpu ? (long)cpu.TotalNanoseconds : long.MaxValue);
            try
            {
                Run(guest);
            }
            finally
            {
                thread.Leave();
                guest.Suspend();
                guest.Instance.HostState = null;
            }
        }
        catch (Exception e)
            when (e is WasmTrapException or GuestMemoryException or MemoryLimitException or GuestException or SharedMemoryException)
        {
            // The module itself has loaded; report the places found so far.
        }
        finally
        {
            if (guest is not null)
                start.Return(guest);
        }
        return places;
    }

    /// <inheritdoc/>
    public void Interrupt(InterruptReason reason) => guest?.Instance.Interrupt((int)reason);

    /// <inheritdoc/>
    public void OnVolatile(VolatileValue value)
    {
        // The search itself may read volatile values; don't record those.
        if (isLooking || places.ContainsKey(value))
            return;
        isLooking = true;
        try
        {
            Note(value, Evaluate("new Error().stack"u8));
        }
        finally
        {
            isLooking = false;
        }
    }

    /// <inheritdoc/>
    public void OnStart(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload) =>
        throw new GuestException(new GuestError("Error", $"'{name}' is not available while the module loads; use it inside the handler."));

    /// <inheritdoc/>
    public void OnCancel(int id) { }

    /// <inheritdoc/>
    public void OnRespond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows) { }

    /// <inheritdoc/>
    public void OnFail(GuestError failure) { }

    /// <inheritdoc/>
    public void OnDone(GuestError? background) { }

    /// <inheritdoc/>
    public void OnLog(GuestLogLevel level, string message) { }

    private void Run(QuickJs instance)
    {
        instance.Begin(this);
        instance.Reseed();
        isLooking = true;
        instance.Release(instance.Eval(Watch, "<trace>", module: false));
        isLooking = false;
        try
        {
            instance.Eval(Encoding.UTF8.GetBytes(source), fileName, module: true);
            instance.RunJobs();
        }
        finally
        {
            isLooking = true;
            Note(VolatileValue.RandomNumber, Evaluate("globalThis.__drawn"u8));
        }
    }

    private string Evaluate(ReadOnlySpan<byte> script)
    {
        var value = guest!.Eval(script, "<trace>", module: false);
        var text = guest.GetText(value, MostStack);
        guest.Release(value);
        return text;
    }

    /// <summary>The topmost frame in the module itself.</summary>
    private void Note(VolatileValue value, string stack)
    {
        foreach (var frame in Frame().EnumerateMatches(stack))
        {
            var match = Frame().Match(stack, frame.Index, frame.Length);
            if (match.Groups["file"].Value != fileName)
                continue;
            int Number(string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
            var place = map?.Find(Number("line"), Number("column")) ?? new SourcePlace(fileName, Number("line"), Number("column"));
            places[value] = string.Create(CultureInfo.InvariantCulture, $"{place.File}:{place.Line}:{place.Column}");
            return;
        }
    }

    [GeneratedRegex(@"(?<file>[^\s():]{1,512}):(?<line>\d{1,9}):(?<column>\d{1,9})")]
    private static partial Regex Frame();
}
