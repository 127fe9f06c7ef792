using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>
/// Inserts into the modules of a component the loops that make long instructions stop in time (<see cref="ModuleRewriter"/>), and refuses
/// what would make the host keep memory that no limit counts. It reads the binary format of the component model, and leaves it to Wasmtime
/// to validate everything but the modules.
/// </summary>
internal static class ComponentRewriter
{
    private const byte CoreModule = 1,
        Nested = 4,
        Canonical = 8;
    private const byte Lift = 0x00,
        Lower = 0x01,
        ResourceNew = 0x02,
        ResourceDrop = 0x03,
        ResourceRepresentation = 0x04;
    private const int MaxDepth = 32;

    /// <summary>The most functions, imports and globals of a module. Each takes up to 32 bytes in every instance.</summary>
    private const int MaxItems = 100_000;

    /// <exception cref="ModuleException">The component is invalid, or has something that the sandbox does not offer.</exception>
    public static byte[] Rewrite(Engine engine, ReadOnlySpan<byte> component, int depth = 0)
    {
        if (depth > MaxDepth)
            throw new ModuleException($"The component nests components more than {MaxDepth} levels deep.");
        using var output = new MemoryStream(component.Length + (component.Length / 8));
        output.Write(component[..ModuleSection.HeaderBytes]);
        foreach (var section in ModuleSection.All(component))
        {
            var content = component[section.Start..section.End];
            switch (section.Id)
            {
                case CoreModule:
                    // The rewriter relies on valid code.
                    engine.Validate(content);
                    CheckSize(content);
                    ModuleRewriter.WriteSection(output, section.Id, ModuleRewriter.WithLoops(content));
                    continue;
                case Nested:
                    if (content.Length < ModuleSection.HeaderBytes)
                        throw new ModuleException("The component is truncated.");
                    ModuleRewriter.WriteSection(output, section.Id, Rewrite(engine, content, depth + 1));
                    continue;
                case Canonical:
                    CheckFunctions(content);
                    break;
            }
            ModuleRewriter.WriteSection(output, section.Id, content);
        }
        return output.ToArray();
    }

    private static void CheckSize(ReadOnlySpan<byte> module)
    {
        var items = 0L;
        foreach (var section in ModuleSection.All(module))
        {
            if (section.Id is ModuleSection.Import or ModuleSection.Function or ModuleSection.Global)
                items += new ModuleReader(module[section.Start..section.End]).Count();
        }
        if (items > MaxItems)
            throw new ModuleException($"A module of the component has more than {MaxItems} functions, imports and globals.");
    }

    /// <summary>Checks the canonical functions: how functions are lifted and lowered, and what is done with resources.</summary>
    private static void CheckFunctions(ReadOnlySpan<byte> section)
    {
        var reader = new ModuleReader(section);
        for (var count = reader.Count(); count > 0; count--)
        {
            switch (reader.Byte())
            {
                case Lift:
                    reader.Byte();
                    reader.U32();
                    SkipOptions(ref reader);
                    reader.U32();
                    break;
                case Lower:
                    reader.Byte();
                    reader.U32();
                    SkipOptions(ref reader);
                    break;
                case ResourceDrop or ResourceRepresentation:
                    reader.U32();
                    break;
                case ResourceNew:
                    // Wasmtime keeps a table of them that no limit of the store counts.
                    throw new ModuleException("The component makes resources of its own (resource.new), which is not supported.");
                default:
                    throw new ModuleException(
                        "The component uses the asynchronous functions of the component model, which are not supported."
                    );
            }
        }
    }

    private static void SkipOptions(ref ModuleReader reader)
    {
        for (var count = reader.Count(); count > 0; count--)
        {
            switch (reader.Byte())
            {
                // The encodings of texts.
                case 0x00 or 0x01 or 0x02:
                    break;
                // The memory, realloc and post-return.
                case 0x03 or 0x04 or 0x05:
                    reader.U32();
                    break;
                default:
                    throw new ModuleException("The component uses an option of the component model that is not supported.");
            }
        }
    }
}
