using System.Buffers.Binary;
using System.Collections.Frozen;
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
    private const byte TwoByteOpcode = 0xFE;

    private static readonly FrozenDictionary<short, OpCode> Opcodes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToFrozenDictionary(opcode => opcode.Value);

    private readonly Dictionary<(int Depth, int Index, Type Type), LocalBuilder> variables = [];

    /// <summary>Does what the method of that name does, with its arguments on the CIL stack.</summary>
    public void Splice(string name) =>
        Splice(typeof(CompiledVectors).GetMethod(name) ?? throw new MissingMethodException(nameof(CompiledVectors), name), depth: 0);

    private void Splice(MethodInfo source, int depth)
    {
        var parameters = source.GetParameters();
        var arguments = parameters.Select((parameter, index) => Variable(depth, index, parameter.ParameterType)).ToArray();
        ReadOnlySpan<byte> code = source.GetMethodBody()!.GetILAsByteArray();
        // Most methods begin with reading all their arguments: then these are where they should be.
        var position = ReadsAll(code, parameters.Length);
        if (position == 0)
        {
            for (var index = arguments.Length - 1; index >= 0; index--)
                cil.Store(arguments[index]);
        }

        while (position < code.Length)
        {
            var opcode = code[position] == TwoByteOpcode ? Opcodes[(short)(TwoByteOpcode << 8 | code[++position])] : Opcodes[code[position]];
            var operand = code[++position..];
            position += SizeOf(opcode.OperandType);
            if (opcode != OpCodes.Ret)
                Emit(source, opcode, operand, arguments, depth);
        }
    }

    /// <summary>The length of code that only reads the one argument, in a method of one; otherwise 0.</summary>
    private static int ReadsAll(ReadOnlySpan<byte> code, int parameters)
    {
        var first = (byte)OpCodes.Ldarg_0.Value;
        return parameters == 1 && code[0] == first && !code[1..].Contains(first) ? 1 : 0;
    }

    private void Emit(MethodInfo source, OpCode opcode, ReadOnlySpan<byte> operand, LocalBuilder[] arguments, int depth)
    {
        if (ArgumentOf(opcode, operand) is { } argument)
        {
            cil.Load(arguments[argument]);
            return;
        }

        switch (opcode.OperandType)
        {
            case OperandType.InlineNone: cil.Emit(opcode); break;
            case OperandType.ShortInlineI: cil.Integer((sbyte)operand[0]); break;
            case OperandType.InlineI: cil.Integer(BinaryPrimitives.ReadInt32LittleEndian(operand)); break;
            case OperandType.ShortInlineR: cil.Single(BinaryPrimitives.ReadSingleLittleEndian(operand)); break;
            case OperandType.InlineR: cil.Double(BinaryPrimitives.ReadDoubleLittleEndian(operand)); break;
            case OperandType.InlineMethod: Call((MethodInfo)source.Module.ResolveMethod(BinaryPrimitives.ReadInt32LittleEndian(operand))!, depth); break;
            default: throw new NotSupportedException($"{source.Name} uses {opcode}, which cannot be spliced.");
        }
    }

    private void Call(MethodInfo callee, int depth)
    {
        if (callee.DeclaringType == typeof(CompiledVectors))
            Splice(callee, depth + 1);
        else
            cil.Call(callee);
    }

    private LocalBuilder Variable(int depth, int index, Type type)
    {
        if (!variables.TryGetValue((depth, index, type), out var local))
            variables.Add((depth, index, type), local = cil.NewLocal(type));
        return local;
    }

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
