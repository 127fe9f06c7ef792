using System.Reflection;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// Puts the code of <see cref="CompiledVectors"/> where it is needed. A vector instruction is one or two of the processor's: a call around it would cost
/// several times as much, ahead-of-time compilation inlines only within an image, and a large function soon uses up what a compiler is willing to inline.
/// </summary>
internal sealed class VectorSplicer(CilWriter cil)
{
    private readonly Dictionary<(int Depth, int Index, Type Type), LocalBuilder> variables = [];

    /// <summary>Does what the method of that name does, with its arguments on the CIL stack.</summary>
    public void Splice(string name) => Splice(VectorRecipe.Of(name), depth: 0);

    private void Splice(VectorRecipe recipe, int depth)
    {
        var arguments = recipe.TakesItsArgumentAtOnce ? [] : recipe.Arguments.Select((type, index) => Variable(depth, index, type)).ToArray();
        for (var index = arguments.Length - 1; index >= 0; index--)
            cil.Store(arguments[index]);
        foreach (var (opcode, argument, operand) in recipe.Steps)
        {
            if (argument is not { } position)
                Emit(opcode, operand, depth);
            else if (!recipe.TakesItsArgumentAtOnce)
                cil.Load(arguments[position]);
        }
    }

    private void Emit(OpCode opcode, object? operand, int depth)
    {
        switch (operand)
        {
            case null: cil.Emit(opcode); break;
            case int number: cil.Integer(number); break;
            case float number: cil.Single(number); break;
            case double number: cil.Double(number); break;
            case MethodInfo own when own.DeclaringType == typeof(CompiledVectors): Splice(VectorRecipe.Of(own), depth + 1); break;
            default: cil.Call((MethodInfo)operand); break;
        }
    }

    private LocalBuilder Variable(int depth, int index, Type type)
    {
        if (!variables.TryGetValue((depth, index, type), out var local))
            variables.Add((depth, index, type), local = cil.NewLocal(type));
        return local;
    }
}
