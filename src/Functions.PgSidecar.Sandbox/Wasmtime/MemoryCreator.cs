using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// Provides Wasmtime with linear memories for the guest that is created or runs on the current thread. So memories can start as a
/// copy-on-write mapping of a snapshot, with more bytes than the module declares, and the memory limit is enforced at every allocation.
/// </summary>
internal static unsafe class MemoryCreator
{
    /// <summary>The callbacks for an engine's configuration.</summary>
    public static NativeMemoryCreator Callbacks => new() { Create = &Create };

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Create(
        nint environment,
        nint type,
        nuint minimum,
        nuint maximum,
        nuint reserved,
        nuint guard,
        NativeLinearMemory* result
    )
    {
        try
        {
            var store = Store.Current
                ?? throw new InvalidOperationException("Wasmtime requested a memory while no guest was created or ran.");
            result->Environment = store.AddMemory((long)minimum, checked((long)(reserved + guard))).Handle;
            result->Get = &Get;
            result->Grow = &Grow;
            result->Finalizer = &Free;
            return 0;
        }
        catch (Exception e)
        {
            return Refuse(e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static byte* Get(nint memory, nuint* size, nuint* capacity)
    {
        var slot = MemorySlot.Of(memory);
        *size = (nuint)slot.Size;
        *capacity = (nuint)slot.Capacity;
        return slot.Address;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Grow(nint memory, nuint size)
    {
        try
        {
            var slot = MemorySlot.Of(memory);
            return Store.Current?.TryGrow(slot, checked((long)size)) == true ? 0 : Native.wasmtime_error_new("the memory limit is reached");
        }
        catch (Exception e)
        {
            return Refuse(e);
        }
    }

    /// <summary>Does nothing: the store that asked for it returns the memory (<see cref="Store.Dispose"/>).</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Free(nint memory) { }

    private static nint Refuse(Exception e)
    {
        if (Store.Current is { } store)
            store.Thrown ??= e;
        return Native.wasmtime_error_new("no memory");
    }
}
