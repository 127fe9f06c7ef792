using System.Buffers.Binary;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// Makes the guest that every compilation starts from: the engine initialised, its extensions linked, the prelude evaluated.
/// Trusted code only: it runs without a deadline.
/// </summary>
internal sealed class Preparation(CompiledImage image, QuickJsExports js, HostFunctions host, byte[] prelude) : ISandboxWork
{
    private const int MemoryLimitPages = 1024;

    /// <summary>JavaScript's own stack, in the guest's memory; beyond it a RangeError.</summary>
    private const int JavaScriptStackBytes = 512 * 1024;

    /// <summary>How much of the engine's context is searched for the state of Math.random.</summary>
    private const int ContextBytes = 2048;

    private readonly TaskCompletionSource<(InstanceSnapshot, GuestHandles)> completion =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<(InstanceSnapshot Snapshot, GuestHandles Handles)> Completion => completion.Task;

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

    private unsafe (InstanceSnapshot, GuestHandles) Prepare()
    {
        using var instance = image.Start(host, MemoryLimitPages);
        var context = instance.Context;
        instance.ArmStack();
        if (js.Init(context) != 0)
            throw new InvalidOperationException("The JavaScript engine did not initialise.");
        js.SetMaxStackSize(JavaScriptStackBytes, context);
        instance.InitializeSideModules(js.GetContext(context), js.GetRuntime(context));
        js.SetPromiseRejectionHandler(1, context);

        var scratch = js.Malloc(GuestHandles.ScratchBytes, context);
        var handles = new GuestHandles(0, 0, 0, 0, js.GetUndefined(context), scratch, 0);
        using var guest = new QuickJs(instance, js, handles, MemoryLimitPages * JavaScriptEngine.PageBytes);
        guest.Begin(NoCalls.Instance);
        DefineHost(guest);
        var world = guest.Eval(prelude, "pgfn:prelude", module: false);
        handles = handles with
        {
            Bind = guest.GetMember(world, "bind"),
            Invoke = guest.GetMember(world, "invoke"),
            Complete = guest.GetMember(world, "complete"),
            Rejection = guest.GetMember(world, "rejection"),
            RandomState = FindRandomState(guest),
        };
        guest.Release(world);
        guest.RunJobs();
        js.RunGc(context);
        guest.Suspend();
        instance.HostState = null;
        return (instance.Snapshot(), handles);
    }

    private unsafe void DefineHost(QuickJs guest)
    {
        var name = "__pgfn_host"u8;
        var address = js.Malloc(name.Length, guest.Instance.Context);
        name.CopyTo(guest.Instance.Slice(address, name.Length));
        var function = js.NewHostFunction(address, name.Length, 0, guest.Instance.Context);
        js.Free(address, guest.Instance.Context);
        guest.SetGlobal("__pgfn_host", function);
        guest.Release(function);
    }

    /// <summary>
    /// Finds where the engine keeps the state of Math.random: the one word of its context that a call turns into its xorshift64* successor.
    /// </summary>
    private unsafe int FindRandomState(QuickJs guest)
    {
        var start = js.GetContext(guest.Instance.Context);
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

    /// <summary>The prelude has nothing to ask of its host while it is evaluated.</summary>
    private sealed class NoCalls : IGuestCalls
    {
        public static readonly NoCalls Instance = new();

        public bool Finished => false;

        public bool TracksRejections => false;

        public double ElapsedMilliseconds => 0;

        public void OnStart(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload) => Refuse(name);

        public void OnCancel(int id) => Refuse("cancel");

        public void OnRespond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body) => Refuse("respond");

        public void OnFail(GuestError failure) => Refuse(failure.Message);

        public void OnDone(GuestError? background) => Refuse("done");

        public void OnLog(GuestLogLevel level, string message) => Refuse(message);

        private static void Refuse(string what) => throw new InvalidOperationException($"The prelude called its host while it loaded: {what}");
    }
}
