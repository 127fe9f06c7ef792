using System.Collections.Immutable;

namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>The sections that declare types, imports, functions, tables, memories, globals, exports and the start function.</summary>
internal static class DeclarationSections
{
    public static void ReadTypes(ref ByteReader section, ModuleDraft module)
    {
        for (var left = section.Count(WasmLimits.Types, "types"); left > 0; left--)
        {
            if (section.Byte() != 0x60)
                section.Fail("malformed function type");
            var parameters = ReadValueTypes(ref section, WasmLimits.Parameters, "parameters");
            var results = ReadValueTypes(ref section, WasmLimits.Results, "results");
            module.Types.Add(new FunctionType(parameters, results));
        }
    }

    public static void ReadImports(ref ByteReader section, ModuleDraft module)
    {
        for (var left = section.Count(WasmLimits.Imports, "imports"); left > 0; left--)
        {
            var moduleName = section.Name();
            var name = section.Name();
            var kind = (ExternalKind)section.Byte();
            module.AddImport(kind switch
            {
                ExternalKind.Function => new Import(moduleName, name, kind) { Function = module.TypeAt(ref section, section.U32()) },
                ExternalKind.Table => new Import(moduleName, name, kind) { Table = ReadTableType(ref section, module) },
                ExternalKind.Memory => new Import(moduleName, name, kind) { Memory = ReadMemoryType(ref section) },
                ExternalKind.Global => new Import(moduleName, name, kind) { Global = ReadGlobalType(ref section) },
                _ => throw new WasmFormatException("malformed import kind", section.Position),
            });
        }

        CheckCounts(ref section, module);
    }

    public static void ReadFunctions(ref ByteReader section, ModuleDraft module)
    {
        for (var left = section.Count(WasmLimits.Functions, "functions"); left > 0; left--)
        {
            var index = section.U32();
            module.FunctionTypes.Add(module.TypeAt(ref section, index));
            module.DefinedFunctionTypes.Add((int)index);
        }
    }

    public static void ReadTables(ref ByteReader section, ModuleDraft module)
    {
        for (var left = section.Count(WasmLimits.Tables, "tables"); left > 0; left--)
            module.TableTypes.Add(ReadTableType(ref section, module));
        CheckCounts(ref section, module);
    }

    public static void ReadMemories(ref ByteReader section, ModuleDraft module)
    {
        for (var left = section.Count(1000, "memories"); left > 0; left--)
            module.MemoryTypes.Add(ReadMemoryType(ref section));
        CheckCounts(ref section, module);
    }

    public static void ReadGlobals(ref ByteReader section, ModuleDraft module)
    {
        for (var left = section.Count(WasmLimits.Globals, "globals"); left > 0; left--)
        {
            var type = ReadGlobalType(ref section);
            var initial = ConstantExpression.Read(ref section, module, type.Value);
            module.GlobalTypes.Add(type);
            module.Globals.Add(new Global(type, initial));
        }
    }

    public static void ReadExports(ref ByteReader section, ModuleDraft module)
    {
        for (var left = section.Count(WasmLimits.Exports, "exports"); left > 0; left--)
        {
            var name = section.Name();
            var kind = (ExternalKind)section.Byte();
            var index = kind switch
            {
                ExternalKind.Function => module.ReadFunctionIndex(ref section),
                ExternalKind.Table => module.ReadTableIndex(ref section),
                ExternalKind.Memory => module.ReadMemoryIndex(ref section),
                ExternalKind.Global => module.ReadGlobalIndex(ref section),
                _ => throw new WasmFormatException("malformed export kind", section.Position),
            };
            module.AddExport(ref section, new Export(name, kind, index));
        }
    }

    public static void ReadStart(ref ByteReader section, ModuleDraft module)
    {
        module.Start = module.ReadFunctionIndex(ref section);
        var type = module.FunctionTypes[module.Start];
        if (type.Parameters.Length != 0 || type.Results.Length != 0)
            section.Fail("start function must take and return nothing");
    }

    private static ImmutableArray<ValueType> ReadValueTypes(ref ByteReader section, int limit, string what)
    {
        var types = ImmutableArray.CreateBuilder<ValueType>();
        for (var left = section.Count(limit, what); left > 0; left--)
            types.Add(ModuleDraft.ReadValueType(ref section));
        return types.ToImmutable();
    }

    private static TableType ReadTableType(ref ByteReader section, ModuleDraft module)
    {
        var element = ModuleDraft.ReadReferenceType(ref section);
        var (minimum, maximum) = ReadLimits(ref section);
        if (minimum > WasmLimits.TableElements)
            section.Fail($"table too large: {minimum} elements, the limit is {WasmLimits.TableElements}");
        return new TableType(element, minimum, maximum);
    }

    private static MemoryType ReadMemoryType(ref ByteReader section)
    {
        var (minimum, maximum) = ReadLimits(ref section);
        if (minimum > WasmLimits.MemoryPages || maximum > WasmLimits.MemoryPages)
            section.Fail("memory size must be at most 65536 pages (4GiB)");
        return new MemoryType(minimum, maximum);
    }

    private static (uint Minimum, uint? Maximum) ReadLimits(ref ByteReader section)
    {
        var flags = section.Byte();
        if (flags > 1)
            section.Fail("malformed limits: shared and 64-bit memories are not supported");
        var minimum = section.U32();
        uint? maximum = flags == 1 ? section.U32() : null;
        if (maximum < minimum)
            section.Fail("size minimum must not be greater than maximum");
        return (minimum, maximum);
    }

    private static GlobalType ReadGlobalType(ref ByteReader section)
    {
        var value = ModuleDraft.ReadValueType(ref section);
        var mutability = section.Byte();
        if (mutability > 1)
            section.Fail("malformed mutability");
        return new GlobalType(value, mutability == 1);
    }

    private static void CheckCounts(ref ByteReader section, ModuleDraft module)
    {
        if (module.MemoryTypes.Count > 1)
            section.Fail("multiple memories");
        if (module.TableTypes.Count > WasmLimits.Tables)
            section.Fail($"too many tables: the limit is {WasmLimits.Tables}");
    }
}
