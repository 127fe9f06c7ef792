using System.Collections.Immutable;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>A function's WebAssembly locals: the parameters are CIL arguments, the others CIL locals that begin as zero.</summary>
internal sealed class LocalVariables
{
    private readonly CilWriter cil;
    private readonly ImmutableArray<ValueType> parameters;
    private readonly ImmutableArray<ValueType> declared;
    private readonly LocalBuilder[] variables;

    public LocalVariables(CilWriter cil, ImmutableArray<ValueType> parameters, ImmutableArray<ValueType> declared)
    {
        this.cil = cil;
        this.parameters = parameters;
        this.declared = declared;
        variables = [.. declared.Select(type => cil.NewLocal(CilMethods.ClrType(type)))];
    }

    public ValueType TypeOf(int index) => index < parameters.Length ? parameters[index] : declared[index - parameters.Length];

    public void Load(int index)
    {
        if (index < parameters.Length)
            cil.LoadArgument(index);
        else
            cil.Load(variables[index - parameters.Length]);
    }

    public void Store(int index)
    {
        if (index < parameters.Length)
            cil.StoreArgument(index);
        else
            cil.Store(variables[index - parameters.Length]);
    }

    /// <summary>The compiled methods do not clear their locals themselves: that would clear every temporary too.</summary>
    public void Clear()
    {
        for (var index = 0; index < variables.Length; index++)
        {
            if (declared[index] == ValueType.FuncRef)
            {
                cil.LoadAddress(variables[index]);
                cil.Emit(OpCodes.Initobj, typeof(FunctionReference));
                continue;
            }

            cil.Constant(declared[index], 0);
            cil.Store(variables[index]);
        }
    }
}
