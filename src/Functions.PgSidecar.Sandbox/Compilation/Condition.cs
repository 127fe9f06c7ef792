using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// What a branch tests: an integer on the stack (<see cref="Comparison"/> is null), or a comparison that is emitted together with the branch.
/// </summary>
internal readonly record struct Condition(Opcode? Comparison, bool Negated)
{
    public static readonly Condition Plain = new(null, false);

    /// <summary>How many operands it takes.</summary>
    public int Operands => Comparison is { } opcode and not (Opcode.I32Eqz or Opcode.I64Eqz) ? 2 : 1;

    public static bool IsComparison(Opcode opcode) => opcode is >= Opcode.I32Eqz and <= Opcode.F64Ge;

    /// <summary>The CIL branch that is taken when the condition holds; when it does not, if <paramref name="invert"/>.</summary>
    public OpCode Branch(bool invert)
    {
        var negate = Negated ^ invert;
        if (Comparison is not { } opcode)
            return negate ? OpCodes.Brfalse : OpCodes.Brtrue;
        if (opcode is Opcode.I32Eqz or Opcode.I64Eqz)
            return negate ? OpCodes.Brtrue : OpCodes.Brfalse;
        var relation = RelationOf(opcode);
        return relation.IsFloat ? FloatBranch(relation.Kind, negate) : IntegerBranch(negate ? Opposite(relation.Kind) : relation.Kind, relation.IsUnsigned);
    }

    /// <summary>Emits the comparison as a value, 0 or 1, of the operands on the CIL stack.</summary>
    public static void EmitValue(CilWriter cil, Opcode opcode)
    {
        if (opcode is Opcode.I32Eqz or Opcode.I64Eqz)
        {
            cil.Integer(0);
            if (opcode == Opcode.I64Eqz)
                cil.Emit(OpCodes.Conv_I8);
            cil.Emit(OpCodes.Ceq);
            return;
        }

        var (kind, isUnsigned, isFloat) = RelationOf(opcode);
        switch (kind)
        {
            case RelationKind.Equal:
                cil.Emit(OpCodes.Ceq);
                return;
            case RelationKind.Less:
                cil.Emit(isUnsigned ? OpCodes.Clt_Un : OpCodes.Clt);
                return;
            case RelationKind.Greater:
                cil.Emit(isUnsigned ? OpCodes.Cgt_Un : OpCodes.Cgt);
                return;
            case RelationKind.NotEqual:
                cil.Emit(OpCodes.Ceq);
                break;
            // "Not greater" must be false for NaN: the unordered comparison is true for it, and is then negated.
            case RelationKind.LessOrEqual:
                cil.Emit(isUnsigned || isFloat ? OpCodes.Cgt_Un : OpCodes.Cgt);
                break;
            default:
                cil.Emit(isUnsigned || isFloat ? OpCodes.Clt_Un : OpCodes.Clt);
                break;
        }

        cil.Integer(0);
        cil.Emit(OpCodes.Ceq);
    }

    private enum RelationKind
    {
        Equal,
        NotEqual,
        Less,
        Greater,
        LessOrEqual,
        GreaterOrEqual,
    }

    private static (RelationKind Kind, bool IsUnsigned, bool IsFloat) RelationOf(Opcode opcode)
    {
        if (opcode >= Opcode.F32Eq)
            return ((RelationKind)((opcode - Opcode.F32Eq) % 6), false, true);
        var index = opcode < Opcode.I64Eqz ? opcode - Opcode.I32Eq : opcode - Opcode.I64Eq;
        return index < 2
            ? ((RelationKind)index, false, false)
            : ((RelationKind)(2 + (index - 2) / 2), (index & 1) == 1, false);
    }

    private static RelationKind Opposite(RelationKind kind) => kind switch
    {
        RelationKind.Equal => RelationKind.NotEqual,
        RelationKind.NotEqual => RelationKind.Equal,
        RelationKind.Less => RelationKind.GreaterOrEqual,
        RelationKind.Greater => RelationKind.LessOrEqual,
        RelationKind.LessOrEqual => RelationKind.Greater,
        _ => RelationKind.Less,
    };

    private static OpCode IntegerBranch(RelationKind kind, bool isUnsigned) => kind switch
    {
        RelationKind.Equal => OpCodes.Beq,
        RelationKind.NotEqual => OpCodes.Bne_Un,
        RelationKind.Less => isUnsigned ? OpCodes.Blt_Un : OpCodes.Blt,
        RelationKind.Greater => isUnsigned ? OpCodes.Bgt_Un : OpCodes.Bgt,
        RelationKind.LessOrEqual => isUnsigned ? OpCodes.Ble_Un : OpCodes.Ble,
        _ => isUnsigned ? OpCodes.Bge_Un : OpCodes.Bge,
    };

    /// <summary>A comparison with NaN is false, so its negation must be taken: the unordered form of the opposite branch.</summary>
    private static OpCode FloatBranch(RelationKind kind, bool negate) => (kind, negate) switch
    {
        (RelationKind.Equal, false) => OpCodes.Beq,
        (RelationKind.Equal, true) => OpCodes.Bne_Un,
        (RelationKind.NotEqual, false) => OpCodes.Bne_Un,
        (RelationKind.NotEqual, true) => OpCodes.Beq,
        (RelationKind.Less, false) => OpCodes.Blt,
        (RelationKind.Less, true) => OpCodes.Bge_Un,
        (RelationKind.Greater, false) => OpCodes.Bgt,
        (RelationKind.Greater, true) => OpCodes.Ble_Un,
        (RelationKind.LessOrEqual, false) => OpCodes.Ble,
        (RelationKind.LessOrEqual, true) => OpCodes.Bgt_Un,
        (_, false) => OpCodes.Bge,
        (_, true) => OpCodes.Blt_Un,
    };
}
