using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>Finds where instructions end: reads their operands by the binary format of WebAssembly 3.</summary>
internal static class InstructionReader
{
    private const byte Aggregates = 0xFB,
        Bulk = 0xFC,
        Vectors = 0xFD;

    /// <summary>A memory operand with this bit names a memory other than the first.</summary>
    private const uint HasMemoryIndex = 0x40;

    /// <summary>Reads the operands of an instruction.</summary>
    /// <returns>
    /// Whether the instruction may take long: it works on a range and may touch a whole memory, or it allocates and may start a garbage
    /// collection.
    /// </returns>
    /// <exception cref="ModuleException">The sandbox does not support the instruction.</exception>
    public static bool SkipOperands(ref ModuleReader reader, byte opcode)
    {
        switch (opcode)
        {
            case 0x00 or 0x01 or 0x05 or 0x0A or 0x0B or 0x0F or 0x1A or 0x1B or 0xD1 or 0xD3 or 0xD4:
            case >= 0x45 and <= 0xC4:
                return false;
            case 0x02 or 0x03 or 0x04:
                BlockType(ref reader);
                return false;
            case 0x08 or 0x0C or 0x0D or 0x10 or 0x12 or 0x14 or 0x15 or (>= 0x20 and <= 0x26) or 0x3F or 0x40 or 0xD2 or 0xD5 or 0xD6:
                reader.U32();
                return false;
            case 0x0E:
                for (var labels = reader.Count(); labels >= 0; labels--)
                    reader.U32();
                return false;
            case 0x11 or 0x13:
                reader.U32();
                reader.U32();
                return false;
            case 0x1C:
                for (var types = reader.Count(); types > 0; types--)
                    ValueType.Read(ref reader);
                return false;
            case 0x1F:
                TryTable(ref reader);
                return false;
            case >= 0x28 and <= 0x3E:
                MemoryOperand(ref reader);
                return false;
            case 0x41 or 0x42 or 0xD0:
                reader.S64();
                return false;
            case 0x43:
                reader.Bytes(sizeof(float));
                return false;
            case 0x44:
                reader.Bytes(sizeof(double));
                return false;
            case Aggregates:
                return AggregateOperands(ref reader);
            case Bulk:
                return BulkOperands(ref reader);
            case Vectors:
                VectorOperands(ref reader);
                return false;
            default:
                throw Unknown(opcode, 0);
        }
    }

    private static void BlockType(ref ModuleReader reader)
    {
        var start = reader;
        // 40 is the empty type; a positive number is the index of a type; the others are value types.
        if (reader.Byte() is 0x63 or 0x64)
        {
            reader.S64();
            return;
        }
        reader = start;
        reader.S64();
    }

    private static void TryTable(ref ModuleReader reader)
    {
        BlockType(ref reader);
        for (var clauses = reader.Count(); clauses > 0; clauses--)
        {
            // 0 and 1 catch a tag, 2 and 3 everything.
            if (reader.Byte() < 2)
                reader.U32();
            reader.U32();
        }
    }

    private static void MemoryOperand(ref ModuleReader reader)
    {
        if ((reader.U32() & HasMemoryIndex) != 0)
            reader.U32();
        reader.U64();
    }

    private static bool AggregateOperands(ref ModuleReader reader)
    {
        var instruction = reader.U32();
        switch (instruction)
        {
            case 0 or 1 or 6 or 7 or 16:
                reader.U32();
                return true;
            case 8 or 9 or 10 or 17 or 18 or 19:
                reader.U32();
                reader.U32();
                return true;
            case >= 2 and <= 5:
                reader.U32();
                reader.U32();
                return false;
            case >= 11 and <= 14:
                reader.U32();
                return false;
            case 15 or (>= 26 and <= 30):
                return false;
            case >= 20 and <= 23:
                reader.S64();
                return false;
            case 24 or 25:
                reader.Byte();
                reader.U32();
                reader.S64();
                reader.S64();
                return false;
            default:
                throw Unknown(Aggregates, instruction);
        }
    }

    private static bool BulkOperands(ref ModuleReader reader)
    {
        var instruction = reader.U32();
        switch (instruction)
        {
            case <= 7:
                return false;
            case 9 or 13 or 16:
                reader.U32();
                return false;
            case 11 or 15 or 17:
                reader.U32();
                return true;
            case 8 or 10 or 12 or 14:
                reader.U32();
                reader.U32();
                return true;
            default:
                throw Unknown(Bulk, instruction);
        }
    }

    private static void VectorOperands(ref ModuleReader reader)
    {
        var instruction = reader.U32();
        switch (instruction)
        {
            case <= 11 or 92 or 93:
                MemoryOperand(ref reader);
                break;
            case 12 or 13:
                reader.Bytes(16);
                break;
            case >= 21 and <= 34:
                reader.Byte();
                break;
            case >= 84 and <= 91:
                MemoryOperand(ref reader);
                reader.Byte();
                break;
            case > 255:
                throw Unknown(Vectors, instruction);
        }
    }

    private static ModuleException Unknown(byte opcode, uint instruction) =>
        new($"The module has the instruction {opcode:x2} {instruction:x2}, which the sandbox does not have.");
}
