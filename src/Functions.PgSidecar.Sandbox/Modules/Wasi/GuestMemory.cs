using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Wasi;

/// <summary>
/// The linear memory of a guest that has called its host. Addresses and lengths come from the guest and may be hostile. They are unsigned
/// and checked in 64 bits. If they lead outside memory, every method returns false and touches nothing.
/// </summary>
internal readonly ref struct GuestMemory(Instance instance)
{
    /// <summary>A window; valid until the guest runs again.</summary>
    public bool TrySlice(int address, int length, out Span<byte> window)
    {
        if ((ulong)(uint)address + (uint)length > (ulong)instance.MemoryLength || length < 0)
        {
            window = default;
            return false;
        }
        window = instance.Slice(address, length);
        return true;
    }

    /// <summary>Copies bytes that the guest may change while the host still needs them.</summary>
    public bool TryCopy(int address, int length, [NotNullWhen(true)] out byte[]? copy)
    {
        copy = TrySlice(address, length, out var window) ? window.ToArray() : null;
        return copy is not null;
    }

    /// <summary>Reads a text; invalid UTF-8 is replaced.</summary>
    public bool TryReadText(int address, int length, [NotNullWhen(true)] out string? text)
    {
        text = TrySlice(address, length, out var window) ? Encoding.UTF8.GetString(window) : null;
        return text is not null;
    }

    public bool TryRead(int address, out uint value)
    {
        var found = TrySlice(address, sizeof(uint), out var window);
        value = found ? BinaryPrimitives.ReadUInt32LittleEndian(window) : 0;
        return found;
    }

    public bool TryWrite(int address, uint value) => TrySlice(address, sizeof(uint), out var window) && Put(window, value);

    public bool TryWrite(int address, ulong value)
    {
        if (!TrySlice(address, sizeof(ulong), out var window))
            return false;
        BinaryPrimitives.WriteUInt64LittleEndian(window, value);
        return true;
    }

    private static bool Put(Span<byte> window, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(window, value);
        return true;
    }
}
