namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>Parametric, reference, table, and bulk memory instructions.</summary>
internal sealed partial class FunctionValidator
{
    private Instruction Other(ref ByteReader reader, Opcode opcode)
    {
        switch (opcode)
        {
            case Opcode.Drop:
                stack.Pop(ref reader);
                return new Instruction { Opcode = opcode };
            case Opcode.Select or Opcode.SelectTyped:
                return Select(ref reader, opcode);
            case Opcode.MemorySize or Opcode.MemoryGrow:
                return MemorySize(ref reader, opcode);
            case Opcode.RefNull or Opcode.RefIsNull or Opcode.RefFunc:
                return Reference(ref reader, opcode);
            case >= Opcode.MemoryInit and <= Opcode.MemoryFill:
                return BulkMemory(ref reader, opcode);
            case Opcode.TableGet or Opcode.TableSet or (>= Opcode.TableInit and <= Opcode.TableFill):
                return Table(ref reader, opcode);
            default:
                reader.Fail($"illegal opcode {(int)opcode:x2}");
                return default;
        }
    }

    private Instruction Select(ref ByteReader reader, Opcode opcode)
    {
        ValueType type;
        if (opcode == Opcode.SelectTyped)
        {
            if (reader.U32() != 1)
                reader.Fail("invalid result arity");
            type = ModuleDraft.ReadValueType(ref reader);
            stack.Pop(ref reader, ValueType.I32);
            stack.Pop(ref reader, type);
            stack.Pop(ref reader, type);
        }
        else
        {
            stack.Pop(ref reader, ValueType.I32);
            var second = stack.Pop(ref reader);
            var first = stack.Pop(ref reader, second);
            type = first == ValueType.Unknown ? second : first;
            if (ModuleDraft.IsReference(type))
                reader.Fail("type mismatch: select of references needs a type");
        }

        stack.Push(ref reader, type);
        return new Instruction { Opcode = opcode, Index = (int)type };
    }

    private Instruction MemorySize(ref ByteReader reader, Opcode opcode)
    {
        ReadZero(ref reader);
        module.RequireMemory(ref reader);
        if (opcode == Opcode.MemoryGrow)
            stack.Pop(ref reader, ValueType.I32);
        stack.Push(ref reader, ValueType.I32);
        return new Instruction { Opcode = opcode };
    }

    private Instruction Reference(ref ByteReader reader, Opcode opcode)
    {
        var index = 0;
        switch (opcode)
        {
            case Opcode.RefNull:
                var type = ModuleDraft.ReadReferenceType(ref reader);
                index = (int)type;
                stack.Push(ref reader, type);
                break;
            case Opcode.RefIsNull:
                var found = stack.Pop(ref reader);
                if (found != ValueType.Unknown && !ModuleDraft.IsReference(found))
                    reader.Fail("type mismatch: ref.is_null needs a reference");
                index = (int)found;
                stack.Push(ref reader, ValueType.I32);
                break;
            default:
                index = module.ReadFunctionIndex(ref reader);
                if (!module.References.Contains(index))
                    reader.Fail("undeclared function reference");
                stack.Push(ref reader, ValueType.FuncRef);
                break;
        }

        return new Instruction { Opcode = opcode, Index = index };
    }

    private Instruction BulkMemory(ref ByteReader reader, Opcode opcode)
    {
        var index = 0;
        if (opcode is Opcode.MemoryInit or Opcode.DataDrop)
        {
            if (module.DataCount is not { } count)
                reader.Fail("data count section required");
            else
                index = ModuleDraft.ReadIndex(ref reader, count, "unknown data segment");
        }

        if (opcode == Opcode.DataDrop)
            return new Instruction { Opcode = opcode, Index = index };

        ReadZero(ref reader);
        if (opcode == Opcode.MemoryCopy)
            ReadZero(ref reader);
        module.RequireMemory(ref reader);
        PopThreeIntegers(ref reader);
        return new Instruction { Opcode = opcode, Index = index };
    }

    private Instruction Table(ref ByteReader reader, Opcode opcode)
    {
        int index;
        var index2 = 0;
        switch (opcode)
        {
            case Opcode.ElemDrop:
                index = ReadElementSegment(ref reader);
                break;
            case Opcode.TableInit:
                index = ReadElementSegment(ref reader);
                index2 = module.ReadTableIndex(ref reader);
                RequireSameType(ref reader, module.Elements[index].Type, module.TableTypes[index2].Element);
                PopThreeIntegers(ref reader);
                break;
            case Opcode.TableCopy:
                index = module.ReadTableIndex(ref reader);
                index2 = module.ReadTableIndex(ref reader);
                RequireSameType(ref reader, module.TableTypes[index].Element, module.TableTypes[index2].Element);
                PopThreeIntegers(ref reader);
                break;
            default:
                index = module.ReadTableIndex(ref reader);
                TableElement(ref reader, opcode, module.TableTypes[index].Element);
                break;
        }

        return new Instruction { Opcode = opcode, Index = index, Index2 = index2 };
    }

    private void TableElement(ref ByteReader reader, Opcode opcode, ValueType element)
    {
        switch (opcode)
        {
            case Opcode.TableGet:
                stack.Pop(ref reader, ValueType.I32);
                stack.Push(ref reader, element);
                break;
            case Opcode.TableSet:
                stack.Pop(ref reader, element);
                stack.Pop(ref reader, ValueType.I32);
                break;
            case Opcode.TableGrow:
                stack.Pop(ref reader, ValueType.I32);
                stack.Pop(ref reader, element);
                stack.Push(ref reader, ValueType.I32);
                break;
            case Opcode.TableFill:
                stack.Pop(ref reader, ValueType.I32);
                stack.Pop(ref reader, element);
                stack.Pop(ref reader, ValueType.I32);
                break;
            default:
                stack.Push(ref reader, ValueType.I32);
                break;
        }
    }

    private int ReadElementSegment(ref ByteReader reader) => ModuleDraft.ReadIndex(ref reader, module.Elements.Count, "unknown elem segment");

    private static void RequireSameType(ref ByteReader reader, ValueType source, ValueType destination)
    {
        if (source != destination)
            reader.Fail("type mismatch");
    }

    private void PopThreeIntegers(ref ByteReader reader)
    {
        for (var operand = 0; operand < 3; operand++)
            stack.Pop(ref reader, ValueType.I32);
    }

    private static void ReadZero(ref ByteReader reader)
    {
        if (reader.Byte() != 0)
            reader.Fail("zero byte expected");
    }
}
