using System.Collections.Immutable;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>A block being compiled. <see cref="Height"/> is the operand stack's height below its parameters.</summary>
internal sealed class ControlFrame(Opcode opcode, FunctionType type, int height, Label label, CheckedAddresses.Entry entry)
{
    public Opcode Opcode { get; } = opcode;

    public FunctionType Type { get; } = type;

    public int Height { get; } = height;

    /// <summary>Where a branch to this block goes: the beginning of a loop, the end of any other.</summary>
    public Label Label { get; } = label;

    /// <summary>What was known of checked addresses at the block's beginning.</summary>
    public CheckedAddresses.Entry Entry { get; } = entry;

    /// <summary>Where an <c>if</c> goes when its condition is false.</summary>
    public Label? Else { get; set; }

    /// <summary>What a branch to this block carries.</summary>
    public ImmutableArray<ValueType> LabelTypes => Opcode == Opcode.Loop ? Type.Parameters : Type.Results;
}
