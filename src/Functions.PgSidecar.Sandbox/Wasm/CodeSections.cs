using System.Collections.Immutable;

namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>The code section: each body's locals, then its instructions, validated while they are read.</summary>
internal static class CodeSections
{
    public static void Read(ref ByteReader section, ModuleDraft module)
    {
        var count = section.Count(WasmLimits.Functions, "functions");
        if (count != module.DefinedFunctionTypes.Count)
            section.Fail("function and code section have inconsistent lengths");
        var validator = new FunctionValidator(module);
        for (var index = 0; index < count; index++)
        {
            var length = section.U32();
            if (length > WasmLimits.FunctionBodyBytes)
                section.Fail($"function body too large: {length} bytes, the limit is {WasmLimits.FunctionBodyBytes}");
            var body = section.Section(length);
            var typeIndex = module.DefinedFunctionTypes[index];
            var type = module.Types[typeIndex];
            var locals = ReadLocals(ref body);
            var instructions = validator.Read(ref body, type, locals);
            if (!body.AtEnd)
                body.Fail("section size mismatch");
            module.Bodies.Add(new FunctionBody(typeIndex, type, locals, instructions));
        }
    }

    private static ImmutableArray<ValueType> ReadLocals(ref ByteReader body)
    {
        var locals = ImmutableArray.CreateBuilder<ValueType>();
        for (var groups = body.U32(); groups > 0; groups--)
        {
            var count = body.U32();
            if (count > WasmLimits.FunctionLocals - locals.Count)
                body.Fail($"too many locals: the limit is {WasmLimits.FunctionLocals}");
            var type = ModuleDraft.ReadValueType(ref body);
            for (var left = count; left > 0; left--)
                locals.Add(type);
        }

        return locals.ToImmutable();
    }
}
