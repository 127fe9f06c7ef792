using System.Buffers.Binary;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// Prepares the guest that every compilation starts from: initialises the engine and its extensions, and evaluates the prelude.
/// It runs trusted code only, without a deadline.
/// </summary>
internal sealed class Preparation(GuestImage image, byte[] prelude) : ISandboxWork
{
    private const long MemoryLimit = 64 << 20;

    /// <summary>The order in which engine/build.mjs links them.</summary>
    private static readonly string[] Extensions = ["url", "encoding", "headers", "crypto", "structured-clone"];

    /// <summary>JavaScript's stack in the guest's memory, in bytes; an overflow is a RangeError.</summary>
    private const int JavaScriptStackBytes = 512 * 1024;

    /// <summary>How many bytes of the engine's context are searched for the state of Math.random.</summary>
    private const int ContextBytes = 2048;

    private readonly TaskCompletionSource<(GuestSnapshot, GuestHandles)> completion = new(
        TaskCreationOptions.RunContinuationsAsynchronously
    );

    public Task<(GuestSnapshot Snapshot, GuestHandles Handles)> Completion => completion.Task;

    public void Execute(SandboxThread thread)
    {
        try
        {
            completion.SetResult(Prepare());
        }
        catch (Exception e)
        {
            completion.SetException(e);
        }
    }

    /// <summary>Initialises an engine and its extensions, without evaluating anything.</summary>
    public static QuickJs Initialize(GuestImage image, long memoryLimit)
    {
        var guest = new QuickJs(image.Base.Instantiate(image.Code, memoryLimit), default);
        var js = guest.Exports;
        if (js.Init() != 0)
            throw new InvalidOperationException("The JavaScript engine did not initialise.");
        js.SetMaxStackSize(JavaScriptStackBytes);
        foreach (var extension in Extensions)
        {
            if (js.InitializeExtension(extension, js.GetContext(), js.GetRuntime()) is not 0 and var result)
                throw new InvalidOperationException($"The extension {extension} did not initialise: code {result}.");
        }
        js.SetPromiseRejectionHandler(1);
        var scratch = js.Malloc(GuestHandles.ScratchBytes);
        guest.Handles = new GuestHandles(0, 0, 0, 0, js.GetUndefined(), scratch, 0);
        guest.Begin(NoCalls.Instance);
        return guest;
    }

    private (GuestSnapshot, GuestHandles) Prepare()
    {
        using var guest = Initialize(image, MemoryLimit);
        DefineHost(guest);
        var world = guest.Eval(prelude, "pgfn:prelude", module: false);
        var handles = guest.Handles with
        {
            Bind = guest.GetMember(world, "bind"),
            Invoke = guest.GetMember(world, "invoke"),
            Complete = guest.GetMember(world, "complete"),
            Rejection = guest.GetMember(world, "rejection"),
            RandomState = FindRandomState(guest),
        };
        guest.Release(world);
        guest.RunJobs();
        guest.Exports.RunGc();
        guest.Suspend();
        return (GuestSnapshot.Of(guest.Instance), handles);
    }

    private static void DefineHost(QuickJs guest)
    {
        var name = "__pgfn_host"u8;
        var js = guest.Exports;
        var address = js.Malloc(name.Length);
        name.CopyTo(guest.Instance.Slice(address, name.Length));
        var function = js.NewHostFunction(address, name.Length, 0);
        js.Free(address);
        guest.SetGlobal("__pgfn_host", function);
        guest.Release(function);
    }

    /// <summary>
    /// Finds where the engine keeps the state of Math.random: the one word of its context that a call turns into its xorshift64* successor.
    /// </summary>
    private static int FindRandomState(QuickJs guest)
    {
        var start = guest.Exports.GetContext();
        var before = guest.Instance.Slice(start, ContextBytes).ToArray();
        guest.Release(guest.Eval("Math.random()"u8, "pgfn:seed", module: false));
        var after = guest.Instance.Slice(start, ContextBytes);
        for (var offset = 0; offset < ContextBytes; offset += sizeof(ulong))
        {
            var state = BinaryPrimitives.ReadUInt64LittleEndian(before.AsSpan(offset));
            if (state != 0 && BinaryPrimitives.ReadUInt64LittleEndian(after[offset..]) == Successor(state))
                return start + offset;
        }
        throw new InvalidOperationException("The state of Math.random was not found: is this another build of the engine?");
    }

    private static ulong Successor(ulong state)
    {
        state ^= state >> 12;
        state ^= state << 25;
        return state ^ (state >> 27);
    }

    /// <summary>The prelude must not call its host while it is evaluated.</summary>
    private sealed class NoCalls : IGuestCalls
    {
        public static readonly NoCalls Instance = new();

        public bool Finished => false;

        public bool TracksRejections => false;

        public double ElapsedMilliseconds => 0;

        public void OnStart(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload) => Refuse(name);

        public void OnCancel(int id) => Refuse("cancel");

        public void OnRespond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows) => Refuse("respond");

        public void OnFail(GuestError failure) => Refuse(failure.Message);

        public void OnDone(GuestError? background) => Refuse("done");

        public void OnLog(GuestLogLevel level, string message) => Refuse(message);

        private static void Refuse(string what) =>
            throw new InvalidOperationException($"The prelude called its host while it loaded: {what}");
    }
}
