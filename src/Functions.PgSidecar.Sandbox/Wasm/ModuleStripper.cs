namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>Removes what compiled code no longer needs from a module: the code section and the custom sections other than <c>dylink.0</c>.</summary>
internal static class ModuleStripper
{
    private const int PreambleBytes = 8;
    private const byte CodeSection = 10;

    public static byte[] Strip(ReadOnlySpan<byte> module)
    {
        var kept = new List<byte>(module.Length / 4);
        kept.AddRange(module[..PreambleBytes]);
        var reader = new ByteReader(module, PreambleBytes, module.Length);
        while (!reader.AtEnd)
        {
            var start = reader.Position;
            var id = reader.Byte();
            var section = reader.Section(reader.U32());
            if (id != CodeSection && (id != 0 || section.Name() == "dylink.0"))
                kept.AddRange(module[start..reader.Position]);
        }

        return [.. kept];
    }
}
