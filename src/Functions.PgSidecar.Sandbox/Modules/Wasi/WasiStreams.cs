using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Wasi;

/// <summary>The three streams of a module: 0 the event, 1 the answer, 2 the log. No other descriptor exists or can be opened.</summary>
internal static class WasiStreams
{
    private const int Input = 0;
    private const int Output = 1;
    private const int Error = 2;

    /// <summary>The most buffers in one call; the usual IOV_MAX of POSIX systems.</summary>
    private const int MaxVectors = 1024;

    /// <summary>An <c>iovec</c>: address and length.</summary>
    private const int VectorBytes = 8;

    /// <summary>Bytes that are copied between two checks for an interrupt.</summary>
    private const int PieceBytes = 64 * 1024;

    private const byte CharacterDevice = 2;
    private const ulong RightRead = 1 << 1;
    private const ulong RightWrite = 1 << 6;

    [HostFunction(WasiCalls.Module, "fd_read")]
    public static int Read(int descriptor, int vectors, int count, int read, Instance instance)
    {
        if (descriptor != Input)
            return (int)Unreadable(descriptor);
        var process = WasiProcess.Of(instance);
        if (Check(instance, vectors, count, read) is not Errno.Success and var error)
            return (int)error;
        var memory = new GuestMemory(instance);
        var total = 0u;
        for (var index = 0; index < count && process.Input.Length > 0; index++)
        {
            // Read the vector again: an earlier buffer may overlap the vectors.
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
        if (Check(instance, vectors, count, written) is not Errno.Success and var error)
            return (int)error;
        var memory = new GuestMemory(instance);
        var total = 0u;
        for (var index = 0; index < count; index++)
        {
            TryVector(memory, vectors, index, out var source);
            // The sum must fit into 32 bits. The rest is not written, and the module may try again.
            source = source[..(int)Math.Min((uint)source.Length, uint.MaxValue - total)];
            total += (uint)source.Length;
            Take(process, source, isAnswer: descriptor == Output && !process.LogsOutput);
        }
        memory.TryWrite(written, total);
        return (int)Errno.Success;
    }

    /// <summary>In pieces: a buffer may be all of the module's memory, and each of its bytes a line of the log.</summary>
    private static void Take(WasiProcess process, ReadOnlySpan<byte> source, bool isAnswer)
    {
        do
        {
            var piece = source[..Math.Min(source.Length, PieceBytes)];
            if (isAnswer)
                process.Write(piece);
            else
                process.Lines.Write(piece);
            source = source[piece.Length..];
            process.CheckInterrupt();
        } while (source.Length > 0);
    }

    [HostFunction(WasiCalls.Module, "fd_fdstat_get")]
    public static int StatGet(int descriptor, int result, Instance instance)
    {
        if (!IsOpen(descriptor))
            return (int)Errno.BadDescriptor;
        if (!new GuestMemory(instance).TrySlice(result, 24, out var stat))
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
        if (!new GuestMemory(instance).TrySlice(result, 64, out var stat))
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
    public static int Seek(int descriptor, long offset, int whence, int result, Instance instance) =>
        (int)OnStream(descriptor, Errno.SeekOnStream);

    [HostFunction(WasiCalls.Module, "fd_tell")]
    public static int Tell(int descriptor, int result, Instance instance) => (int)OnStream(descriptor, Errno.SeekOnStream);

    [HostFunction(WasiCalls.Module, "fd_pread")]
    [HostFunction(WasiCalls.Module, "fd_pwrite")]
    public static int Positioned(int descriptor, int vectors, int count, long offset, int result, Instance instance) =>
        (int)OnStream(descriptor, Errno.SeekOnStream);

    /// <summary>Whether the descriptor is one of the three streams.</summary>
    public static bool IsOpen(int descriptor) => descriptor is Input or Output or Error;

    /// <summary>The result of a call for one of the streams; other descriptors are not open.</summary>
    public static Errno OnStream(int descriptor, Errno answer) => IsOpen(descriptor) ? answer : Errno.BadDescriptor;

    private static Errno Unreadable(int descriptor) => OnStream(descriptor, Errno.NotCapable);

    private static Errno Unwritable(int descriptor) => OnStream(descriptor, Errno.NotCapable);

    /// <summary>Checks every address of a call before the call touches any.</summary>
    private static Errno Check(Instance instance, int vectors, int count, int result)
    {
        if (count is < 0 or > MaxVectors)
            return Errno.Invalid;
        var memory = new GuestMemory(instance);
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
