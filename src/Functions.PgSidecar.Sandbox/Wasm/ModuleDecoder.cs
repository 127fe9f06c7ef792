namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>Decodes a module section by section (section 5.5), validating each against the ones before it.</summary>
internal static class ModuleDecoder
{
    private const byte DataCountSection = 12;
    private const byte CodeSection = 10;
    private const byte DataSection = 11;

    public static WasmModule Decode(ReadOnlyMemory<byte> bytes, bool withCode)
    {
        if (bytes.Length > WasmLimits.ModuleBytes)
            throw new WasmFormatException($"module too large: {bytes.Length} bytes, the limit is {WasmLimits.ModuleBytes}", 0);

        var reader = new ByteReader(bytes.Span, 0, bytes.Length);
        ReadPreamble(ref reader);
        var module = new ModuleDraft();
        var lastRank = 0;
        var seenCode = false;
        var seenData = false;
        while (!reader.AtEnd)
        {
            var id = reader.Byte();
            var section = reader.Section(reader.U32());
            if (id == 0)
            {
                CustomSections.Read(ref section, module);
                continue;
            }

            CheckOrder(ref reader, id, ref lastRank);
            seenCode |= id == CodeSection;
            seenData |= id == DataSection;
            ReadSection(ref section, id, module, bytes);
            if (!section.AtEnd)
                section.Fail("section size mismatch");
        }

        if (withCode && !seenCode && module.DefinedFunctionTypes.Count != 0)
            reader.Fail("function and code section have inconsistent lengths");
        if (!seenData && module.DataCount is > 0)
            reader.Fail("data count and data section have inconsistent lengths");
        return new WasmModule(module);
    }

    private static void ReadPreamble(ref ByteReader reader)
    {
        if (reader.Bits32() != 0x6D736100)
            throw new WasmFormatException("magic header not detected", 0);
        if (reader.Bits32() != 1)
            throw new WasmFormatException("unknown binary version", 4);
    }

    /// <summary>Sections come in the order of their ids, but the data count stands before the code.</summary>
    private static void CheckOrder(ref ByteReader reader, byte id, ref int lastRank)
    {
        if (id > DataCountSection)
            reader.Fail("malformed section id");
        var rank = id == DataCountSection ? CodeSection * 2 - 1 : id * 2;
        if (rank <= lastRank)
            reader.Fail("unexpected content after last section");
        lastRank = rank;
    }

    private static void ReadSection(ref ByteReader section, byte id, ModuleDraft module, ReadOnlyMemory<byte> bytes)
    {
        switch (id)
        {
            case 1: DeclarationSections.ReadTypes(ref section, module); break;
            case 2: DeclarationSections.ReadImports(ref section, module); break;
            case 3: DeclarationSections.ReadFunctions(ref section, module); break;
            case 4: DeclarationSections.ReadTables(ref section, module); break;
            case 5: DeclarationSections.ReadMemories(ref section, module); break;
            case 6: DeclarationSections.ReadGlobals(ref section, module); break;
            case 7: DeclarationSections.ReadExports(ref section, module); break;
            case 8: DeclarationSections.ReadStart(ref section, module); break;
            case 9: SegmentSections.ReadElements(ref section, module); break;
            case CodeSection: CodeSections.Read(ref section, module); break;
            case DataSection: SegmentSections.ReadData(ref section, module, bytes); break;
            default: module.DataCount = section.Count(WasmLimits.Segments, "data segments"); break;
        }
    }
}
