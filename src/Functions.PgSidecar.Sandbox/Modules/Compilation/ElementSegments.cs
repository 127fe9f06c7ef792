namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>Reads the segments that fill tables.</summary>
internal static class ElementSegments
{
    private const uint IsNotActive = 1,
        HasTableOrIsDeclared = 2,
        HasExpressions = 4;

    /// <summary>Whether any segment is passive: copied by instructions.</summary>
    public static bool HavePassive(ref ModuleReader reader)
    {
        var found = false;
        for (var count = reader.Count(); count > 0; count--)
        {
            var flags = reader.U32();
            found |= (flags & (IsNotActive | HasTableOrIsDeclared)) == IsNotActive;
            if ((flags & IsNotActive) == 0)
            {
                if ((flags & HasTableOrIsDeclared) != 0)
                    reader.U32();
                ConstantExpression.Read(ref reader, []);
            }
            if ((flags & (IsNotActive | HasTableOrIsDeclared)) != 0)
                ReadType(ref reader, flags);
            for (var elements = reader.Count(); elements > 0; elements--)
            {
                if ((flags & HasExpressions) != 0)
                    ConstantExpression.Read(ref reader, []);
                else
                    reader.U32();
            }
        }
        return found;
    }

    private static void ReadType(ref ModuleReader reader, uint flags)
    {
        if ((flags & HasExpressions) != 0)
            ValueType.Read(ref reader);
        else
            reader.Byte();
    }
}
