using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// The structures of Wasmtime's C API, as its headers (<c>wasmtime/extern.h</c>, <c>val.h</c>, <c>config.h</c>) define them in
/// <see cref="Native.Version"/>. Another version may lay them out differently: a test fails if the package has another version.
/// </summary>
internal enum ExternKind : byte
{
    Function = 0,
    Global = 1,
    Table = 2,
    Memory = 3,
}

/// <summary><c>wasmtime_valkind_t</c>.</summary>
internal enum ValueKind : byte
{
    I32 = 0,
    I64 = 1,
    F32 = 2,
    F64 = 3,
    V128 = 4,
    FunctionReference = 5,
}

/// <summary><c>wasmtime_trap_code_enum</c>.</summary>
internal enum TrapCode : byte
{
    StackOverflow = 0,
    MemoryOutOfBounds = 1,
    HeapMisaligned = 2,
    TableOutOfBounds = 3,
    IndirectCallToNull = 4,
    BadSignature = 5,
    IntegerOverflow = 6,
    IntegerDivisionByZero = 7,
    BadConversionToInteger = 8,
    UnreachableCodeReached = 9,
    Interrupt = 10,
    OutOfFuel = 11,
}

/// <summary><c>wasmtime_val_raw_t</c>: one argument or result of an unchecked call.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct RawValue
{
    [FieldOffset(0)]
    public int I32;

    [FieldOffset(0)]
    public long I64;

    [FieldOffset(0)]
    public float F32;

    [FieldOffset(0)]
    public double F64;
}

/// <summary><c>wasmtime_func_t</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FunctionHandle
{
    public ulong Store;
    public nint Function;
}

/// <summary><c>wasmtime_instance_t</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct InstanceHandle
{
    public ulong Store;
    public nuint Instance;
}

/// <summary><c>wasmtime_memory_t</c> and <c>wasmtime_table_t</c>, which have the same shape.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct ObjectHandle
{
    [FieldOffset(0)]
    public ulong Store;

    [FieldOffset(8)]
    public uint First;

    [FieldOffset(16)]
    public uint Second;
}

/// <summary><c>wasmtime_global_t</c>.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
internal struct GlobalHandle
{
    [FieldOffset(0)]
    public ulong Store;

    [FieldOffset(8)]
    public uint First;

    [FieldOffset(12)]
    public uint Second;

    [FieldOffset(16)]
    public uint Third;
}

/// <summary><c>wasmtime_extern_t</c>.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct Extern
{
    [FieldOffset(0)]
    public ExternKind Kind;

    [FieldOffset(8)]
    public FunctionHandle Function;

    [FieldOffset(8)]
    public GlobalHandle Global;

    [FieldOffset(8)]
    public ObjectHandle Object;
}

/// <summary><c>wasmtime_val_t</c>; every kind but references fits into the 16 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct Value
{
    [FieldOffset(0)]
    public ValueKind Kind;

    [FieldOffset(8)]
    public ulong Low;

    [FieldOffset(16)]
    public ulong High;

    [FieldOffset(8)]
    public FunctionHandle Function;
}

/// <summary><c>wasm_byte_vec_t</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ByteVector
{
    public nuint Size;
    public nint Data;
}

/// <summary><c>wasmtime_memory_creator_t</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeMemoryCreator
{
    public nint Environment;
    public delegate* unmanaged[Cdecl]<nint, nint, nuint, nuint, nuint, nuint, NativeLinearMemory*, nint> Create;
    public nint Finalizer;
}

/// <summary><c>wasmtime_linear_memory_t</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeLinearMemory
{
    public nint Environment;
    public delegate* unmanaged[Cdecl]<nint, nuint*, nuint*, byte*> Get;
    public delegate* unmanaged[Cdecl]<nint, nuint, nint> Grow;
    public delegate* unmanaged[Cdecl]<nint, void> Finalizer;
}
