using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>The three streams a module has: 0 the event, 1 the answer, 2 the log. There are no other descriptors, and none can be opened.</summary>
internal static class WasiStreams
{
    private const int Input = 0;
    private const int Output = 1;
    private const int Error = 2;

    /// <summary>Buffers one call may name, as POSIX has it.</summary>
    private const int MaxVectors = 1024;

    /// <summary>An <c>iovec</c>: address and length.</summary>
    private const int VectorBytes = 8;

    private const byte CharacterDevice = 2;
    private const ulong RightRead = 1 << 1;
    private const ulong RightWrite = 1 << 6;

    [HostFunction(WasiCalls.Module, "fd_read")]
    public static int Read(int descriptor, int vectors, int count, int read, Instance instance)
    {
        if (descriptor != Input)
            return (int)Unreadable(descriptor);
        var process = WasiProcess.Of(instance);
        if (Check(process, vectors, count, read) is not Errno.Success and var error)
            return (int)error;
        var memory = new GuestMemory(process.Instance);
        var total = 0u;
        for (var index = 0; index < count && process.Input.Length > 0; index++)
        {
            // Read anew: an earlier buffer may lie over the vectors.
            if (!TryVector(memory, vectors, index, out var target))
                return (int)Errno.Fault;
            var portion = process.Input[..Math.Min(target.Length, process.Input.Length)];
            portion.Span.CopyTo(target);
            process.Input = process.Input[portion.Length..];
            total += (uint)portion.Length;
        }
        memory.TryWrite(read, total);
        return (int)Errno.Success;
    }

    [HostFunction(WasiCalls.Module, "fd_write")]
    public static int Write(int descriptor, int vectors, int count, int written, Instance instance)
    {
        if (descriptor is not (Output or Error))
            return (int)Unwritable(descriptor);
        var process = WasiProcess.Of(instance);
        if (Check(process, vectors, count, written) is not Errno.Success and var error)
            return (int)error;
        var memory = new GuestMemory(process.Instance);
        var total = 0u;
        for (var index = 0; index < count; index++)
        {
            TryVector(memory, vectors, index, out var source);
            // The sum has to fit into 32 bits: what is beyond was not written, and the module may try again.
            source = source[..(int)Math.Min((uint)source.Length, uint.MaxValue - total)];
            if (descriptor == Output && !process.LogsOutput)
                process.Write(source);
            else
                process.Lines.Write(source);
            total += (uint)source.Length;
            process.CheckInterrupt();
        }
        memory.TryWrite(written, total);
        return (int)Errno.Success;
    }

    [HostFunction(WasiCalls.Module, "fd_fdstat_get")]
    public static int StatGet(int descriptor, int result, Instance instance)
    {
        if (!IsOpen(descriptor))
            return (int)Errno.BadDescriptor;
        if (!new GuestMemory(WasiProcess.Of(instance).Instance).TrySlice(result, 24, out var stat))
            return (int)Errno.Fault;
        stat.Clear();
        stat[0] = CharacterDevice;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(stat[8..], descriptor == Input ? RightRead : RightWrite);
        return (int)Errno.Success;
    }

    [HostFunction(WasiCalls.Module, "fd_filestat_get")]
    public static int FileStatGet(int descriptor, int result, Instance instance)
    {
        if (!IsOpen(descriptor))
            return (int)Errno.BadDescriptor;
        if (!new GuestMemory(WasiProcess.Of(instance).Instance).TrySlice(result, 64, out var stat))
            return (int)Errno.Fault;
        stat.Clear();
        stat[16] = CharacterDevice;
        return (int)Errno.Success;
    }

    [HostFunction(WasiCalls.Module, "fd_fdstat_set_flags")]
    public static int StatSetFlags(int descriptor, int flags, Instance instance) => (int)OnStream(descriptor, Errno.Success);

    [HostFunction(WasiCalls.Module, "fd_close")]
    public static int Close(int descriptor, Instance instance) => (int)OnStream(descriptor, Errno.Success);

    [HostFunction(WasiCalls.Module, "fd_sync")]
    [HostFunction(WasiCalls.Module, "fd_datasync")]
    public static int Sync(int descriptor, Instance instance) => (int)OnStream(descriptor, Errno.Success);

    [HostFunction(WasiCalls.Module, "fd_seek")]
    public static int Seek(int descriptor, long offset, int whence, int result, Instance instance) => (int)OnStream(descriptor, Errno.SeekOnStream);

    [HostFunction(WasiCalls.Module, "fd_tell")]
    public static int Tell(int descriptor, int result, Instance instance) => (int)OnStream(descriptor, Errno.SeekOnStream);

    [HostFunction(WasiCalls.Module, "fd_pread")]
    [HostFunction(WasiCalls.Module, "fd_pwrite")]
    public static int Positioned(int descriptor, int vectors, int count, long offset, int result, Instance instance) =>
        (int)OnStream(descriptor, Errno.SeekOnStream);

    /// <summary>Whether the descriptor is one of the three.</summary>
    public static bool IsOpen(int descriptor) => descriptor is Input or Output or Error;

    /// <summary>What a call answers on a stream; others are not open.</summary>
    public static Errno OnStream(int descriptor, Errno answer) => IsOpen(descriptor) ? answer : Errno.BadDescriptor;

    private static Errno Unreadable(int descriptor) => OnStream(descriptor, Errno.NotCapable);

    private static Errno Unwritable(int descriptor) => OnStream(descriptor, Errno.NotCapable);

    /// <summary>Everything a call will touch, before it touches anything.</summary>
    private static Errno Check(WasiProcess process, int vectors, int count, int result)
    {
        if (count is < 0 or > MaxVectors)
            return Errno.Invalid;
        var memory = new GuestMemory(process.Instance);
        if (!memory.TrySlice(vectors, count * VectorBytes, out _) || !memory.TrySlice(result, sizeof(uint), out _))
            return Errno.Fault;
        for (var index = 0; index < count; index++)
        {
            if (!TryVector(memory, vectors, index, out _))
                return Errno.Fault;
        }
        return Errno.Success;
    }

    private static bool TryVector(GuestMemory memory, int vectors, int index, out Span<byte> window)
    {
        window = default;
        return memory.TryRead(vectors + (index * VectorBytes), out var address)
            && memory.TryRead(vectors + (index * VectorBytes) + sizeof(uint), out var length)
            && length <= int.MaxValue
            && memory.TrySlice((int)address, (int)length, out window);
    }
}
