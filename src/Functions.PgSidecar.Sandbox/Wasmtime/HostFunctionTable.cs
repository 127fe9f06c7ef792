using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// The functions that a host offers to guests: static methods with a <see cref="HostFunctionAttribute"/> whose parameters are <c>int</c>,
/// <c>long</c>, <c>float</c> or <c>double</c>, followed by the calling <see cref="Instance"/>; their result is an <c>int</c> or nothing.
/// Created once per process, because guests hold addresses in it.
/// </summary>
internal sealed unsafe class HostFunctionTable
{
    /// <summary>The letters of value kinds, in their order.</summary>
    private const string Letters = "iIfF";

    private readonly Dictionary<(string Module, string Name), HostFunction> functions = [];

    public HostFunctionTable(params ReadOnlySpan<Type> types)
    {
        foreach (var type in types)
        {
            foreach (var method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            {
                foreach (var import in method.GetCustomAttributes<HostFunctionAttribute>())
                    functions.Add((import.Module, import.Name), new HostFunction(method));
            }
        }
    }

    /// <summary>The type of a function, as in <c>iIi:i</c>; <see langword="null"/> if none has that name.</summary>
    public string? TypeOf(string module, string name) => functions.GetValueOrDefault((module, name))?.Type;

    internal void Define(nint linker)
    {
        foreach (var ((module, name), function) in functions)
        {
            byte[] moduleName = Encoding.UTF8.GetBytes(module),
                functionName = Encoding.UTF8.GetBytes(name);
            var type = NativeType(function.Type);
            fixed (
                byte* moduleBytes = moduleName,
                    nameBytes = functionName
            )
            {
                var error = Native.wasmtime_linker_define_func_unchecked(
                    linker,
                    moduleBytes,
                    (nuint)moduleName.Length,
                    nameBytes,
                    (nuint)functionName.Length,
                    type,
                    &Call,
                    function.Handle,
                    0
                );
                Native.wasm_functype_delete(type);
                if (error != 0)
                    throw new InvalidOperationException(Native.TakeError(error));
            }
        }
    }

    private static nint NativeType(string type)
    {
        var colon = type.IndexOf(':', StringComparison.Ordinal);
        ByteVector parameters,
            results;
        Vector(type.AsSpan(0, colon), &parameters);
        Vector(type.AsSpan(colon + 1), &results);
        return Native.wasm_functype_new(&parameters, &results);
    }

    private static void Vector(ReadOnlySpan<char> kinds, ByteVector* vector)
    {
        var types = stackalloc nint[16];
        for (var index = 0; index < kinds.Length; index++)
            types[index] = Native.wasm_valtype_new((byte)Letters.IndexOf(kinds[index], StringComparison.Ordinal));
        Native.wasm_valtype_vec_new(vector, (nuint)kinds.Length, types);
    }

    /// <summary>
    /// Receives every call of a guest to its host. No exception may leave it, because the frames below are native. An exception of a host
    /// function ends the guest by a trap, and is thrown again after the trap has unwound those frames (<see cref="Instance.Call"/>).
    /// </summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Call(nint function, nint caller, RawValue* values, nuint count)
    {
        try
        {
            var instance =
                Store.Current as Instance ?? throw new InvalidOperationException("A guest called the host while none was running.");
            try
            {
                Unsafe.As<HostFunction>(GCHandle.FromIntPtr(function).Target!).Invoke(values, instance);
                return 0;
            }
            catch (Exception e)
            {
                instance.Thrown = e;
            }
        }
        catch
        {
            // Reported by the trap.
        }
        var message = "host"u8;
        fixed (byte* text = message)
            return Native.wasmtime_trap_new(text, (nuint)message.Length);
    }

    /// <summary>A host function: its code and its signature.</summary>
    private sealed class HostFunction
    {
        private readonly nint code;
        private readonly Signature signature;

        public HostFunction(MethodInfo method)
        {
            var parameters = method.GetParameters();
            if (parameters[^1].ParameterType != typeof(Instance))
                throw new ArgumentException($"The last parameter of {method.Name} must be the instance.");
            Type = string.Concat(parameters[..^1].Select(parameter => KindOf(parameter.ParameterType))) + ":" + KindOf(method.ReturnType);
            signature = Enum.TryParse<Signature>(Type.Replace(":", "To", StringComparison.Ordinal), out var known)
                ? known
                : throw new ArgumentException(
                    $"{nameof(HostFunctionTable)} has no call of the type {Type} yet, which {method.Name} needs."
                );
            RuntimeHelpers.PrepareMethod(method.MethodHandle);
            code = method.MethodHandle.GetFunctionPointer();
            Handle = GCHandle.ToIntPtr(GCHandle.Alloc(this));
        }

        /// <summary>Parameters and results: <c>i</c> for i32, <c>I</c> for i64, <c>f</c> for f32, <c>F</c> for f64.</summary>
        private enum Signature
        {
            To,
            Toi,
            iTo,
            ITo,
            fTo,
            FTo,
            iiiTo,
            iToi,
            iiToi,
            iiiToi,
            iiiiToi,
            iiiiiToi,
            iiiiiiToi,
            iiiiiiiToi,
            iIiToi,
            iIiiToi,
            iIIiToi,
            iIIToi,
            iIToi,
            iiiIiToi,
            iiiiIIiToi,
            iiiiiIIiiToi,
        }

        public string Type { get; }

        /// <summary>Represents it in native code. Never freed, like the table.</summary>
        public nint Handle { get; }

        public void Invoke(RawValue* v, Instance on)
        {
            switch (signature)
            {
                case Signature.To:
                    ((delegate* <Instance, void>)code)(on);
                    return;
                case Signature.iTo:
                    ((delegate* <int, Instance, void>)code)(v[0].I32, on);
                    return;
                case Signature.ITo:
                    ((delegate* <long, Instance, void>)code)(v[0].I64, on);
                    return;
                case Signature.fTo:
                    ((delegate* <float, Instance, void>)code)(v[0].F32, on);
                    return;
                case Signature.FTo:
                    ((delegate* <double, Instance, void>)code)(v[0].F64, on);
                    return;
                case Signature.iiiTo:
                    ((delegate* <int, int, int, Instance, void>)code)(v[0].I32, v[1].I32, v[2].I32, on);
                    return;
                default:
                    v[0].I64 = (uint)Result(v, on);
                    return;
            }
        }

        private int Result(RawValue* v, Instance on) =>
            signature switch
            {
                Signature.Toi => ((delegate* <Instance, int>)code)(on),
                Signature.iToi => ((delegate* <int, Instance, int>)code)(v[0].I32, on),
                Signature.iiToi => ((delegate* <int, int, Instance, int>)code)(v[0].I32, v[1].I32, on),
                Signature.iiiToi => ((delegate* <int, int, int, Instance, int>)code)(v[0].I32, v[1].I32, v[2].I32, on),
                Signature.iiiiToi => ((delegate* <int, int, int, int, Instance, int>)code)(v[0].I32, v[1].I32, v[2].I32, v[3].I32, on),
                Signature.iiiiiToi => ((delegate* <int, int, int, int, int, Instance, int>)code)(
                    v[0].I32,
                    v[1].I32,
                    v[2].I32,
                    v[3].I32,
                    v[4].I32,
                    on
                ),
                Signature.iiiiiiToi => ((delegate* <int, int, int, int, int, int, Instance, int>)code)(
                    v[0].I32,
                    v[1].I32,
                    v[2].I32,
                    v[3].I32,
                    v[4].I32,
                    v[5].I32,
                    on
                ),
                Signature.iiiiiiiToi => ((delegate* <int, int, int, int, int, int, int, Instance, int>)code)(
                    v[0].I32,
                    v[1].I32,
                    v[2].I32,
                    v[3].I32,
                    v[4].I32,
                    v[5].I32,
                    v[6].I32,
                    on
                ),
                Signature.iIiToi => ((delegate* <int, long, int, Instance, int>)code)(v[0].I32, v[1].I64, v[2].I32, on),
                Signature.iIiiToi => ((delegate* <int, long, int, int, Instance, int>)code)(v[0].I32, v[1].I64, v[2].I32, v[3].I32, on),
                Signature.iIIiToi => ((delegate* <int, long, long, int, Instance, int>)code)(v[0].I32, v[1].I64, v[2].I64, v[3].I32, on),
                Signature.iIIToi => ((delegate* <int, long, long, Instance, int>)code)(v[0].I32, v[1].I64, v[2].I64, on),
                Signature.iIToi => ((delegate* <int, long, Instance, int>)code)(v[0].I32, v[1].I64, on),
                Signature.iiiIiToi => ((delegate* <int, int, int, long, int, Instance, int>)code)(
                    v[0].I32,
                    v[1].I32,
                    v[2].I32,
                    v[3].I64,
                    v[4].I32,
                    on
                ),
                Signature.iiiiIIiToi => ((delegate* <int, int, int, int, long, long, int, Instance, int>)code)(
                    v[0].I32,
                    v[1].I32,
                    v[2].I32,
                    v[3].I32,
                    v[4].I64,
                    v[5].I64,
                    v[6].I32,
                    on
                ),
                Signature.iiiiiIIiiToi => ((delegate* <int, int, int, int, int, long, long, int, int, Instance, int>)code)(
                    v[0].I32,
                    v[1].I32,
                    v[2].I32,
                    v[3].I32,
                    v[4].I32,
                    v[5].I64,
                    v[6].I64,
                    v[7].I32,
                    v[8].I32,
                    on
                ),
                _ => throw new InvalidOperationException("The call has no result."),
            };

        private static string KindOf(Type type) =>
            type == typeof(int) ? "i"
            : type == typeof(long) ? "I"
            : type == typeof(float) ? "f"
            : type == typeof(double) ? "F"
            : type == typeof(void) ? ""
            : throw new ArgumentException($"Host functions take no {type.Name}.");
    }
}
