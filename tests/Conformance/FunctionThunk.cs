using System.Collections.Concurrent;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>Calls compiled functions whose types are known only at run time: arguments and the first result travel in cells of 16 bytes.</summary>
internal static unsafe class FunctionThunk
{
    private static readonly ConcurrentDictionary<FunctionType, Invoker> Known = new();

    public delegate void Invoker(nint code, nint context, nint arguments, nint result);

    public static Invoker For(FunctionType type) => Known.GetOrAdd(type, Build);

    private static Invoker Build(FunctionType type)
    {
        var method = new DynamicMethod("call", typeof(void), [typeof(nint), typeof(nint), typeof(nint), typeof(nint)], typeof(FunctionThunk).Module, skipVisibility: true);
        var il = method.GetILGenerator();
        var cil = new CilWriter(il, contextArgument: 1);
        if (!type.Results.IsEmpty)
            cil.LoadArgument(3);
        for (var index = 0; index < type.Parameters.Length; index++)
        {
            cil.LoadArgument(2);
            cil.Integer(index * 16);
            cil.Emit(OpCodes.Add);
            cil.Emit(OpCodes.Ldobj, CilMethods.PassedType(type.Parameters[index]));
        }

        cil.Context();
        cil.LoadArgument(0);
        cil.CallIndirect(CilMethods.ResultType(type), CilMethods.ParameterTypes(type));
        if (!type.Results.IsEmpty)
            cil.Emit(OpCodes.Stobj, CilMethods.PassedType(type.Results[0]));
        cil.Emit(OpCodes.Ret);
        return method.CreateDelegate<Invoker>();
    }
}
