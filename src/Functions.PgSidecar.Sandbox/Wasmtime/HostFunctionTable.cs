using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// The functions that a host offers to guests, by the names of their imports. Create few of them: functions are never freed, because
/// guests hold their addresses.
/// </summary>
internal sealed unsafe class HostFunctionTable
{
    /// <summary>The letters of value kinds, in their order.</summary>
    private const string Letters = "iIfF";

    private readonly Dictionary<(string Module, string Name), HostFunction> functions = [];

    /// <param name="types">The types whose static methods with a <see cref="HostFunctionAttribute"/> are offered.</param>
    public HostFunctionTable(params ReadOnlySpan<Type> types)
    {
        foreach (var type in types)
        {
            foreach (var method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            {
                foreach (var import in method.GetCustomAttributes<HostFunctionAttribute>())
                    Add(import.Module, import.Name, new HostMethod(method));
            }
        }
    }

    /// <summary>The imports and their functions.</summary>
    public IReadOnlyDictionary<(string Module, string Name), HostFunction> Functions => functions;

    /// <summary>Offers a function. Call it before guests are linked.</summary>
    /// <exception cref="ArgumentException">Another function has this name.</exception>
    public void Add(string module, string name, HostFunction function) => functions.Add((module, name), function);

    /// <summary>See <see cref="HostFunction.Type"/>; <see langword="null"/> if no function has that name.</summary>
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
}
