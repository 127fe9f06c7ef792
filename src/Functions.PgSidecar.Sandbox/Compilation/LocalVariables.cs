using System.Collections.Immutable;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// A function's WebAssembly locals: the parameters are CIL arguments, those that are vectors are copied to CIL locals; the others are CIL locals that begin
/// as zero.
/// </summary>
internal sealed class LocalVariables
{
    private readonly CilWriter cil;
    private readonly ImmutableArray<ValueType> parameters;
    private readonly ImmutableArray<ValueType> declared;
    private readonly LocalBuilder[] variables;
    private readonly Dictionary<int, LocalBuilder> vectorParameters = [];

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
        if (vectorParameters.TryGetValue(index, out var vector))
            cil.Load(vector);
        else if (index < parameters.Length)
            cil.LoadArgument(index);
        else
            cil.Load(variables[index - parameters.Length]);
    }

    public void Store(int index)
    {
        if (vectorParameters.TryGetValue(index, out var vector))
            cil.Store(vector);
        else if (index < parameters.Length)
            cil.StoreArgument(index);
        else
            cil.Store(variables[index - parameters.Length]);
    }

    /// <summary>What the function begins with.</summary>
    public void Begin()
    {
        for (var index = 0; index < parameters.Length; index++)
        {
            if (parameters[index] != ValueType.V128)
                continue;
            var copy = cil.NewLocal(CilMethods.ClrType(ValueType.V128));
            cil.LoadArgumentAddress(index);
            cil.LoadCell(ValueType.V128);
            cil.Store(copy);
            vectorParameters.Add(index, copy);
        }

        Clear();
    }

    /// <summary>The compiled methods do not clear their locals themselves: that would clear every temporary too.</summary>
    private void Clear()
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
