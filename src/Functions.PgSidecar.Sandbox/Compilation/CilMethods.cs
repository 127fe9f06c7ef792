using System.Numerics;
using System.Reflection;
using System.Runtime.Intrinsics;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>The library methods that compiled code calls, and how WebAssembly's types look in CIL.</summary>
internal static class CilMethods
{
    public static readonly MethodInfo Int32BitsToSingle = Find(typeof(BitConverter), nameof(BitConverter.Int32BitsToSingle), typeof(int));
    public static readonly MethodInfo Int64BitsToDouble = Find(typeof(BitConverter), nameof(BitConverter.Int64BitsToDouble), typeof(long));
    public static readonly MethodInfo SingleToInt32Bits = Find(typeof(BitConverter), nameof(BitConverter.SingleToInt32Bits), typeof(float));
    public static readonly MethodInfo DoubleToInt64Bits = Find(typeof(BitConverter), nameof(BitConverter.DoubleToInt64Bits), typeof(double));

    public static readonly MethodInfo CreateVector = Find(typeof(Vector128), nameof(Vector128.Create), typeof(ulong), typeof(ulong));
    public static readonly MethodInfo VectorAsBytes = typeof(Vector128).GetMethod(nameof(Vector128.AsByte))!.MakeGenericMethod(typeof(ulong));
    public static readonly MethodInfo ZeroVector = typeof(Vector128<byte>).GetProperty(nameof(Vector128<>.Zero))!.GetMethod!;

    public static MethodInfo Bits(string name, params Type[] parameters) => Find(typeof(BitOperations), name, parameters);

    public static MethodInfo Math(string name, Type type, int arity) =>
        Find(type == typeof(float) ? typeof(MathF) : typeof(Math), name, [.. Enumerable.Repeat(type, arity)]);

    /// <summary>A method of <see cref="CompiledCode"/>.</summary>
    public static MethodInfo Runtime(string name) =>
        typeof(CompiledCode).GetMethod(name) ?? throw new MissingMethodException(nameof(CompiledCode), name);

    /// <summary>How a value of a type is held: references to functions as a structure, references of the host as a 64-bit handle.</summary>
    public static Type ClrType(ValueType type) => type switch
    {
        ValueType.I32 => typeof(int),
        ValueType.I64 or ValueType.ExternRef => typeof(long),
        ValueType.F32 => typeof(float),
        ValueType.F64 => typeof(double),
        ValueType.V128 => typeof(Vector128<byte>),
        _ => typeof(FunctionReference),
    };

    /// <summary>How a value of a type travels to and from a function.</summary>
    public static Type PassedType(ValueType type) => type == ValueType.V128 ? typeof(VectorBits) : ClrType(type);

    public static Type ResultType(FunctionType type) => type.Results.IsEmpty ? typeof(void) : PassedType(type.Results[0]);

    /// <summary>The WebAssembly parameters, then the context.</summary>
    public static Type[] ParameterTypes(FunctionType type) => [.. type.Parameters.Select(PassedType), typeof(nint)];

    private static MethodInfo Find(Type type, string name, params Type[] parameters) =>
        type.GetMethod(name, parameters) ?? throw new MissingMethodException(type.Name, name);
}
