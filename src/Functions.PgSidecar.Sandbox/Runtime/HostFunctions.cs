using System.Collections.Frozen;
using System.Reflection;
using System.Runtime.CompilerServices;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// The functions a host offers to guests, found by import module and name. Built once a process and shared by every instance; a host
/// function reaches its instance, and whatever the host attached to it, with <see cref="WasmInstance.FromContext"/>.
/// </summary>
public sealed class HostFunctions
{
    private readonly FrozenDictionary<(string Module, string Name), HostFunction> functions;

    private HostFunctions(Dictionary<(string Module, string Name), HostFunction> functions) => this.functions = functions.ToFrozenDictionary();

    /// <summary>No function at all: for modules that import none.</summary>
    public static HostFunctions None { get; } = new([]);

    /// <summary>Collects every static method of the given types that carries a <see cref="HostFunctionAttribute"/>.</summary>
    /// <exception cref="ArgumentException">A method has a parameter that WebAssembly cannot pass, or two methods claim one import.</exception>
    public static HostFunctions From(params ReadOnlySpan<Type> types)
    {
        var found = new Dictionary<(string, string), HostFunction>();
        foreach (var type in types)
        {
            foreach (var method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            {
                foreach (var import in method.GetCustomAttributes<HostFunctionAttribute>())
                {
                    if (!found.TryAdd((import.Module, import.Name), HostFunction.Of(method, import)))
                        throw new ArgumentException($"Two host functions claim the import {import.Module}.{import.Name}.");
                }
            }
        }

        return new HostFunctions(found);
    }

    /// <summary>Every function with its import.</summary>
    internal IEnumerable<KeyValuePair<(string Module, string Name), HostFunction>> All => functions;

    internal bool TryFind(string module, string name, out HostFunction function) => functions.TryGetValue((module, name), out function);
}

/// <summary>A host function as code: its address and the WebAssembly type it answers to.</summary>
internal readonly record struct HostFunction(nint Code, FunctionType Type)
{
    public static HostFunction Of(MethodInfo method, HostFunctionAttribute import)
    {
        var parameters = method.GetParameters();
        if (parameters.Length == 0 || parameters[^1].ParameterType != typeof(nint))
            throw new ArgumentException($"The last parameter of host function {import.Module}.{import.Name} must be the context (nint).");

        var type = new FunctionType(
            [.. parameters[..^1].Select(parameter => TypeOf(parameter.ParameterType, import))],
            method.ReturnType == typeof(void) ? [] : [TypeOf(method.ReturnType, import)]);
        RuntimeHelpers.PrepareMethod(method.MethodHandle);
        return new HostFunction(method.MethodHandle.GetFunctionPointer(), type);
    }

    private static ValueType TypeOf(Type type, HostFunctionAttribute import) =>
        type == typeof(int) ? ValueType.I32
        : type == typeof(long) ? ValueType.I64
        : type == typeof(float) ? ValueType.F32
        : type == typeof(double) ? ValueType.F64
        : type == typeof(VectorBits) ? ValueType.V128
        : throw new ArgumentException($"Host function {import.Module}.{import.Name} uses {type.Name}, which WebAssembly cannot pass.");
}
