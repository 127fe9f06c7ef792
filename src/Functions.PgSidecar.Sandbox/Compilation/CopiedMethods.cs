using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Reflection;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// Copies methods of <see cref="CompiledVectors"/> into the image that uses them, because ahead-of-time compilation inlines only within an image: a vector
/// instruction is one or two of the processor's, and a call around it would cost several times as much.
/// </summary>
internal sealed class CopiedMethods(TypeBuilder owner)
{
    private const byte TwoByteOpcode = 0xFE;

    private static readonly FrozenDictionary<short, OpCode> Opcodes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToFrozenDictionary(opcode => opcode.Value);

    private readonly Dictionary<MethodInfo, MethodInfo> copies = [];

    /// <summary>The copy of a method, made when it is first asked for.</summary>
    public MethodInfo Of(string name) => Of(
        typeof(CompiledVectors).GetMethod(name) ?? throw new MissingMethodException(nameof(CompiledVectors), name));

    private MethodInfo Of(MethodInfo source)
    {
        if (copies.TryGetValue(source, out var known))
            return known;
        var copy = owner.DefineMethod(
            $"{source.Name}{copies.Count}",
            MethodAttributes.Public | MethodAttributes.Static,
            source.ReturnType,
            [.. source.GetParameters().Select(parameter => parameter.ParameterType)]);
        copy.SetImplementationFlags(MethodImplAttributes.AggressiveInlining);
        copies.Add(source, copy);
        Copy(source, copy.GetILGenerator());
        return copy;
    }

    private void Copy(MethodInfo source, ILGenerator target)
    {
        var body = source.GetMethodBody()!;
        foreach (var local in body.LocalVariables)
            target.DeclareLocal(local.LocalType);
        ReadOnlySpan<byte> code = body.GetILAsByteArray();
        var labels = new Dictionary<int, Label>();
        for (var position = 0; position < code.Length;)
        {
            target.MarkLabel(LabelAt(position));
            var value = code[position] == TwoByteOpcode ? (short)(TwoByteOpcode << 8 | code[++position]) : code[position];
            var opcode = Opcodes[value];
            var operand = code[++position..];
            position += SizeOf(opcode.OperandType);
            Copy(opcode, operand, position);
        }

        Label LabelAt(int position)
        {
            if (!labels.TryGetValue(position, out var label))
                labels.Add(position, label = target.DefineLabel());
            return label;
        }

        void Copy(OpCode opcode, ReadOnlySpan<byte> operand, int after)
        {
            switch (opcode.OperandType)
            {
                case OperandType.InlineNone: target.Emit(opcode); break;
                case OperandType.ShortInlineBrTarget: target.Emit(opcode, LabelAt(after + (sbyte)operand[0])); break;
                case OperandType.InlineBrTarget: target.Emit(opcode, LabelAt(after + Number(operand))); break;
                case OperandType.ShortInlineI or OperandType.ShortInlineVar: target.Emit(opcode, operand[0]); break;
                case OperandType.InlineI: target.Emit(opcode, Number(operand)); break;
                case OperandType.InlineI8: target.Emit(opcode, BinaryPrimitives.ReadInt64LittleEndian(operand)); break;
                case OperandType.ShortInlineR: target.Emit(opcode, BinaryPrimitives.ReadSingleLittleEndian(operand)); break;
                case OperandType.InlineR: target.Emit(opcode, BinaryPrimitives.ReadDoubleLittleEndian(operand)); break;
                case OperandType.InlineMethod: target.Emit(opcode, Callee(source.Module.ResolveMethod(Number(operand)))); break;
                default: throw new NotSupportedException($"{source.Name} uses {opcode}, which is not copied.");
            }
        }
    }

    /// <summary>What a copy calls: other methods of the class are copied too, the library's stay where they are.</summary>
    private MethodInfo Callee(MethodBase? callee)
    {
        var method = (MethodInfo)callee!;
        return method.DeclaringType == typeof(CompiledVectors) ? Of(method) : method;
    }

    private static int Number(ReadOnlySpan<byte> operand) => BinaryPrimitives.ReadInt32LittleEndian(operand);

    private static int SizeOf(OperandType type) => type switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineI or OperandType.ShortInlineVar or OperandType.ShortInlineBrTarget => 1,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => 4,
    };
}
