using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// The structures of Wasmtime's C API for components, as its headers (<c>wasmtime/component/val.h</c>, <c>func.h</c>, <c>instance.h</c>)
/// define them in <see cref="Native.Version"/>. This is <c>wasmtime_component_valkind_t</c>.
/// </summary>
internal enum ComponentKind : byte
{
    Bool = 0,
    U8 = 2,
    U16 = 4,
    U32 = 6,
    S64 = 7,
    U64 = 8,
    Text = 12,
    List = 13,
    Record = 14,
    Tuple = 15,
    Variant = 16,
    Enum = 17,
    Option = 18,
    Result = 19,
    Resource = 21,
}

/// <summary><c>wasmtime_component_val_t</c>.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct ComponentValue
{
    [FieldOffset(0)]
    public ComponentKind Kind;

    [FieldOffset(8)]
    public byte U8;

    [FieldOffset(8)]
    public ushort U16;

    [FieldOffset(8)]
    public uint U32;

    [FieldOffset(8)]
    public ulong U64;

    /// <summary>The bytes of a text, or the name of the case of an enum or a variant.</summary>
    [FieldOffset(8)]
    public ByteVector Name;

    /// <summary>The items of a list or a tuple, each a <see cref="ComponentValue"/>; those of a record are
    /// <see cref="ComponentField"/>.</summary>
    [FieldOffset(8)]
    public ByteVector Items;

    /// <summary>A pointer to the value of an option; 0 for none.</summary>
    [FieldOffset(8)]
    public nint Option;

    /// <summary>A pointer to a resource.</summary>
    [FieldOffset(8)]
    public nint Resource;

    /// <summary>1 if a result is a success.</summary>
    [FieldOffset(8)]
    public byte IsOk;

    /// <summary>A pointer to the value of a result; 0 for none.</summary>
    [FieldOffset(16)]
    public nint ResultValue;

    /// <summary>A pointer to the value of a variant's case; 0 for none.</summary>
    [FieldOffset(24)]
    public nint CaseValue;
}

/// <summary><c>wasmtime_component_valrecord_entry_t</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ComponentField
{
    public ByteVector Name;
    public ComponentValue Value;
}

/// <summary><c>wasmtime_component_instance_t</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ComponentInstanceHandle
{
    public ulong Store;
    public uint Instance;
}

/// <summary><c>wasmtime_component_func_t</c>.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct ComponentFunctionHandle
{
    [FieldOffset(0)]
    public ulong Store;

    [FieldOffset(8)]
    public uint First;

    [FieldOffset(16)]
    public uint Second;

    [FieldOffset(24)]
    public nint Third;
}
