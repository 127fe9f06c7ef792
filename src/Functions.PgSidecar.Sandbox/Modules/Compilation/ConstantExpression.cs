namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>Reads constant expressions, and computes those with an integer as value: the addresses of data segments.</summary>
internal static class ConstantExpression
{
    private const byte End = 0x0B;

    /// <summary>Reads an expression up to its end.</summary>
    /// <param name="reader">At the start of the expression.</param>
    /// <param name="globals">The values of the module's globals so far; <see langword="null"/> for other than integers.</param>
    /// <returns>Its value, if that is an integer.</returns>
    public static ulong? Read(ref ModuleReader reader, IReadOnlyList<ulong?> globals)
    {
        var values = new Stack<ulong?>();
        ulong? Pop() => values.TryPop(out var value) ? value : null;
        while (true)
        {
            var opcode = reader.Byte();
            switch (opcode)
            {
                case End:
                    return Pop();
                case 0x41:
                    values.Push((uint)reader.S64());
                    break;
                case 0x42:
                    values.Push((ulong)reader.S64());
                    break;
                case 0x23:
                    var global = reader.U32();
                    values.Push(global < globals.Count ? globals[(int)global] : null);
                    break;
                case 0x6A or 0x6B or 0x6C:
                    values.Push(Pop() is { } right32 && Pop() is { } left32 ? (uint)Compute(opcode - 0x6A, left32, right32) : null);
                    break;
                case 0x7C or 0x7D or 0x7E:
                    values.Push(Pop() is { } right && Pop() is { } left ? Compute(opcode - 0x7C, left, right) : null);
                    break;
                default:
                    InstructionReader.SkipOperands(ref reader, opcode);
                    values.Push(null);
                    break;
            }
        }
    }

    private static ulong Compute(int operation, ulong left, ulong right) =>
        unchecked(
            operation switch
            {
                0 => left + right,
                1 => left - right,
                _ => left * right,
            }
        );
}
