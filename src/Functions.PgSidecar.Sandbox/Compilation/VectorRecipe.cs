using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Reflection;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>One step of a method: the instruction, and the argument, number or method that goes with it.</summary>
internal readonly record struct VectorStep(OpCode Opcode, int? Argument, object? Operand);

/// <summary>A method of <see cref="CompiledVectors"/> taken apart: the types of its arguments and its steps, without the return.</summary>
internal sealed class VectorRecipe
{
    private const byte TwoByteOpcode = 0xFE;

    private static readonly FrozenDictionary<short, OpCode> Opcodes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToFrozenDictionary(opcode => opcode.Value);

    private static readonly ConcurrentDictionary<MethodInfo, VectorRecipe> Known = new();
    private static readonly FrozenDictionary<string, MethodInfo> ByName =
        typeof(CompiledVectors).GetMethods(BindingFlags.Public | BindingFlags.Static).ToFrozenDictionary(method => method.Name);

    private VectorRecipe(MethodInfo method)
    {
        Arguments = [.. method.GetParameters().Select(parameter => parameter.ParameterType)];
        Steps = [.. Read(method)];
        TakesItsArgumentAtOnce = Arguments.Length == 1 && Steps[0].Argument == 0 && Steps.Count(step => step.Argument is not null) == 1;
    }

    public Type[] Arguments { get; }

    public VectorStep[] Steps { get; }

    /// <summary>Whether all it does with its one argument is to begin with it: then it may stay on the CIL stack.</summary>
    public bool TakesItsArgumentAtOnce { get; }

    public static VectorRecipe Of(string name) => Of(ByName[name]);

    public static VectorRecipe Of(MethodInfo method) => Known.GetOrAdd(method, static key => new VectorRecipe(key));

    private static List<VectorStep> Read(MethodInfo method)
    {
        var steps = new List<VectorStep>();
        ReadOnlySpan<byte> code = method.GetMethodBody()!.GetILAsByteArray();
        for (var position = 0; position < code.Length;)
        {
            var opcode = code[position] == TwoByteOpcode ? Opcodes[(short)(TwoByteOpcode << 8 | code[++position])] : Opcodes[code[position]];
            var operand = code[++position..];
            position += SizeOf(opcode.OperandType);
            if (opcode != OpCodes.Ret)
                steps.Add(ArgumentOf(opcode, operand) is { } argument ? new(opcode, argument, null) : new(opcode, null, OperandOf(method, opcode, operand)));
        }

        return steps;
    }

    private static object? OperandOf(MethodInfo method, OpCode opcode, ReadOnlySpan<byte> operand) => opcode.OperandType switch
    {
        OperandType.InlineNone => null,
        OperandType.ShortInlineI => (int)(sbyte)operand[0],
        OperandType.InlineI => BinaryPrimitives.ReadInt32LittleEndian(operand),
        OperandType.ShortInlineR => BinaryPrimitives.ReadSingleLittleEndian(operand),
        OperandType.InlineR => BinaryPrimitives.ReadDoubleLittleEndian(operand),
        OperandType.InlineMethod => method.Module.ResolveMethod(BinaryPrimitives.ReadInt32LittleEndian(operand)),
        _ => throw new NotSupportedException($"{method.Name} uses {opcode}, which cannot be spliced."),
    };

    private static int? ArgumentOf(OpCode opcode, ReadOnlySpan<byte> operand) => opcode.Value switch
    {
        >= 0x02 and <= 0x05 => opcode.Value - 0x02,
        0x0E => operand[0],
        _ => null,
    };

    private static int SizeOf(OperandType type) => type switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineI or OperandType.ShortInlineVar or OperandType.ShortInlineBrTarget => 1,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => 4,
    };
}
