using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Wasi;

/// <summary>
/// WASI preview 1 for modules: arguments, variables, randomness, exit. Results are <see cref="Errno"/> values. Host functions throw only to
/// end the guest, whatever its arguments are. Streams: <see cref="WasiStreams"/>; time: <see cref="WasiTime"/>; unsupported calls:
/// <see cref="WasiRefusals"/>.
/// </summary>
internal static class WasiCalls
{
    public const string Module = "wasi_snapshot_preview1";

    /// <summary>Random bytes between two checks for an interrupt.</summary>
    private const int RandomChunk = 1 << 20;

    [HostFunction(Module, "args_sizes_get")]
    public static int ArgsSizesGet(int count, int size, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        return SizesGet(instance, process.Arguments, count, size);
    }

    [HostFunction(Module, "args_get")]
    public static int ArgsGet(int pointers, int buffer, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        return Get(instance, process.Arguments, pointers, buffer);
    }

    [HostFunction(Module, "environ_sizes_get")]
    public static int EnvironSizesGet(int count, int size, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        return SizesGet(instance, process.Environment, count, size);
    }

    [HostFunction(Module, "environ_get")]
    public static int EnvironGet(int pointers, int buffer, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        return Get(instance, process.Environment, pointers, buffer);
    }

    [HostFunction(Module, "random_get")]
    public static int RandomGet(int buffer, int length, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        if (!new GuestMemory(instance).TrySlice(buffer, length, out var target))
            return (int)Errno.Fault;
        process.Drawn |= VolatileValue.RandomBytes;
        while (target.Length > 0)
        {
            var chunk = target[..Math.Min(target.Length, RandomChunk)];
            System.Security.Cryptography.RandomNumberGenerator.Fill(chunk);
            target = target[chunk.Length..];
            process.CheckInterrupt();
        }
        return (int)Errno.Success;
    }

    [HostFunction(Module, "sched_yield")]
    public static int SchedYield(Instance instance) => (int)Errno.Success;

    [HostFunction(Module, "proc_exit")]
    public static void ProcExit(int code, Instance instance) => throw new WasiExitException((uint)code);

    [HostFunction(Module, "proc_raise")]
    public static int ProcRaise(int signal, Instance instance) => (int)Errno.NotSupported;

    private static int SizesGet(Instance instance, IReadOnlyList<byte[]> texts, int count, int size)
    {
        var memory = new GuestMemory(instance);
        var bytes = 0u;
        foreach (var text in texts)
            bytes += (uint)text.Length;
        return (int)(memory.TryWrite(count, (uint)texts.Count) && memory.TryWrite(size, bytes) ? Errno.Success : Errno.Fault);
    }

    private static int Get(Instance instance, IReadOnlyList<byte[]> texts, int pointers, int buffer)
    {
        var memory = new GuestMemory(instance);
        foreach (var text in texts)
        {
            if (!memory.TryWrite(pointers, (uint)buffer) || !memory.TrySlice(buffer, text.Length, out var target))
                return (int)Errno.Fault;
            text.CopyTo(target);
            pointers += sizeof(uint);
            buffer += text.Length;
        }
        return (int)Errno.Success;
    }
}
