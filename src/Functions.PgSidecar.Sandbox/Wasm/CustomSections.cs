namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>Custom sections: all are skipped but <c>dylink.0</c>, which tells a side module's needs.</summary>
internal static class CustomSections
{
    private const byte MemoryInfo = 1;

    public static void Read(ref ByteReader section, ModuleDraft module)
    {
        if (section.Name() == "dylink.0")
            module.Dylink = ReadDylink(ref section);
    }

    /// <summary>The tool conventions' dynamic linking section: typed subsections, of which only the memory and table needs matter here.</summary>
    private static DylinkInfo? ReadDylink(ref ByteReader section)
    {
        DylinkInfo? info = null;
        while (!section.AtEnd)
        {
            var kind = section.Byte();
            var part = section.Section(section.U32());
            if (kind == MemoryInfo)
                info = new DylinkInfo(part.U32(), part.Count(31, "alignment bits"), part.U32(), part.Count(31, "alignment bits"));
        }

        return info;
    }
}
