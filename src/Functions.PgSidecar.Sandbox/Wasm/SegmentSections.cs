using System.Collections.Immutable;

namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>The element and data sections (5.5.12 and 5.5.14).</summary>
internal static class SegmentSections
{
    /// <summary>The bits of an element segment's flags.</summary>
    private const uint NotActive = 1, ExplicitOrDeclarative = 2, Expressions = 4;

    public static void ReadElements(ref ByteReader section, ModuleDraft module)
    {
        for (var left = section.Count(WasmLimits.Segments, "element segments"); left > 0; left--)
            module.Elements.Add(ReadElement(ref section, module));
    }

    public static void ReadData(ref ByteReader section, ModuleDraft module, ReadOnlyMemory<byte> bytes)
    {
        var count = section.Count(WasmLimits.Segments, "data segments");
        if (module.DataCount is { } announced && announced != count)
            section.Fail("data count and data section have inconsistent lengths");
        for (; count > 0; count--)
        {
            var flags = section.U32();
            if (flags > 2)
                section.Fail("malformed data segment flags");
            ConstantExpression? offset = null;
            if (flags != 1)
            {
                if (flags == 2)
                    module.ReadMemoryIndex(ref section);
                module.RequireMemory(ref section);
                offset = ConstantExpression.Read(ref section, module, ValueType.I32);
            }

            var length = section.U32();
            var start = section.Skip(length);
            var mode = flags == 1 ? SegmentMode.Passive : SegmentMode.Active;
            module.Data.Add(new DataSegment(mode, offset, bytes.Slice(start, (int)length)));
        }
    }

    private static ElementSegment ReadElement(ref ByteReader section, ModuleDraft module)
    {
        var flags = section.U32();
        if (flags > 7)
            section.Fail("malformed elements segment kind");
        var mode = (flags & NotActive) == 0 ? SegmentMode.Active
            : (flags & ExplicitOrDeclarative) == 0 ? SegmentMode.Passive : SegmentMode.Declarative;
        var table = 0;
        ConstantExpression? offset = null;
        if (mode == SegmentMode.Active)
        {
            table = (flags & ExplicitOrDeclarative) != 0
                ? module.ReadTableIndex(ref section)
                : RequireTable(ref section, module);
            offset = ConstantExpression.Read(ref section, module, ValueType.I32);
        }

        var hasType = mode != SegmentMode.Active || (flags & ExplicitOrDeclarative) != 0;
        var type = ReadElementType(ref section, module, hasType, (flags & Expressions) != 0);
        if (mode == SegmentMode.Active && module.TableTypes[table].Element != type)
            section.Fail("type mismatch");
        return new ElementSegment(mode, table, offset, type, ReadItems(ref section, module, type, (flags & Expressions) != 0));
    }

    private static int RequireTable(ref ByteReader section, ModuleDraft module)
    {
        if (module.TableTypes.Count == 0)
            section.Fail("unknown table");
        return 0;
    }

    private static ValueType ReadElementType(ref ByteReader section, ModuleDraft module, bool hasType, bool expressions)
    {
        if (!hasType)
            return ValueType.FuncRef;
        if (expressions)
            return ModuleDraft.ReadReferenceType(ref section);
        if (section.Byte() != 0)
            section.Fail("malformed element kind");
        return ValueType.FuncRef;
    }

    private static ImmutableArray<ConstantExpression> ReadItems(ref ByteReader section, ModuleDraft module, ValueType type, bool expressions)
    {
        var count = section.Count(WasmLimits.TableElements, "elements");
        var items = ImmutableArray.CreateBuilder<ConstantExpression>();
        for (; count > 0; count--)
        {
            if (expressions)
            {
                items.Add(ConstantExpression.Read(ref section, module, type));
                continue;
            }

            var function = module.ReadFunctionIndex(ref section);
            module.DeclareReference(function);
            items.Add(new ConstantExpression([new Instruction { Opcode = Opcode.RefFunc, Index = function }]));
        }

        return items.ToImmutable();
    }
}
