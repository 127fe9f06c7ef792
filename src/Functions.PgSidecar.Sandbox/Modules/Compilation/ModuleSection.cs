namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>A section of a module: its content lies between <paramref name="Start"/> and <paramref name="End"/>.</summary>
internal readonly record struct ModuleSection(byte Id, int Start, int End)
{
    public const byte Custom = 0,
        Type = 1,
        Import = 2,
        Function = 3,
        Table = 4,
        Memory = 5,
        Global = 6,
        Export = 7,
        StartFunction = 8;
    public const byte Element = 9,
        Code = 10,
        Data = 11,
        DataCount = 12,
        Tag = 13;

    /// <summary>The magic number and the version.</summary>
    public const int HeaderBytes = 8;

    /// <summary>The sections of a module, in their order.</summary>
    public static List<ModuleSection> All(ReadOnlySpan<byte> module)
    {
        var sections = new List<ModuleSection>();
        var reader = new ModuleReader(module);
        reader.Bytes(HeaderBytes);
        while (!reader.IsAtEnd)
        {
            var id = reader.Byte();
            var length = reader.Count();
            sections.Add(new ModuleSection(id, reader.Position, reader.Position + length));
            reader.Bytes(length);
        }
        return sections;
    }
}
