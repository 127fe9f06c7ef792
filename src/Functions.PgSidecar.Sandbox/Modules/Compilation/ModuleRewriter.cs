using System.Text;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>
/// Rewrites a module so that its state can be copied to other instances. Its start function, memories, tables and mutable globals become
/// exports. Active data segments become empty, because the host copies their data once. An empty loop is inserted before each instruction
/// that may take long: Wasmtime checks the epoch only at the head of loops and functions, and a function may have a million such
/// instructions without a branch.
/// </summary>
internal sealed class ModuleRewriter(ReadOnlyMemory<byte> module, ParsedModule parsed)
{
    /// <summary>The name of the export for the start function.</summary>
    public const string StartExport = "pgfn:start";

    private const byte End = 0x0B;

    /// <summary>The sections that follow the exports; the order of sections is fixed.</summary>
    private static ReadOnlySpan<byte> BehindExports =>
        [ModuleSection.StartFunction, ModuleSection.Element, ModuleSection.DataCount, ModuleSection.Code, ModuleSection.Data];

    /// <summary>The name of the export for a mutable global.</summary>
    public static string GlobalExport(int index) => $"pgfn:global:{index}";

    /// <summary>The name of the export for a memory.</summary>
    public static string MemoryExport(int index) => $"pgfn:memory:{index}";

    /// <summary>The name of the export for a table.</summary>
    public static string TableExport(int index) => $"pgfn:table:{index}";

    /// <summary>Inserts the loops and leaves everything else as it is.</summary>
    public static byte[] WithLoops(ReadOnlySpan<byte> module)
    {
        using var output = new MemoryStream(module.Length + (module.Length / 8));
        output.Write(module[..ModuleSection.HeaderBytes]);
        foreach (var section in ModuleSection.All(module))
        {
            var content = module[section.Start..section.End];
            WriteSection(output, section.Id, section.Id == ModuleSection.Code ? Code(content) : content);
        }
        return output.ToArray();
    }

    public byte[] Write()
    {
        using var output = new MemoryStream(module.Length + (module.Length / 8));
        output.Write(module.Span[..ModuleSection.HeaderBytes]);
        var hasExports = false;
        foreach (var section in ModuleSection.All(module.Span))
        {
            if (!hasExports && (section.Id == ModuleSection.Export || BehindExports.Contains(section.Id)))
            {
                hasExports = true;
                WriteSection(output, ModuleSection.Export, Exports(section.Id == ModuleSection.Export ? section : null));
            }
            var content = module.Span[section.Start..section.End];
            switch (section.Id)
            {
                case ModuleSection.Export or ModuleSection.StartFunction:
                    break;
                case ModuleSection.Code:
                    WriteSection(output, section.Id, Code(content));
                    break;
                case ModuleSection.Data:
                    WriteSection(output, section.Id, Data(content));
                    break;
                default:
                    WriteSection(output, section.Id, content);
                    break;
            }
        }
        if (!hasExports)
            WriteSection(output, ModuleSection.Export, Exports(null));
        return output.ToArray();
    }

    private byte[] Exports(ModuleSection? section)
    {
        var more = new List<(string Name, EntityKind Kind, int Index)>();
        if (parsed.Start is { } start)
            more.Add((StartExport, EntityKind.Function, start));
        for (var memory = 0; memory < parsed.MemoryPages.Count; memory++)
            more.Add((MemoryExport(memory), EntityKind.Memory, memory));
        for (var table = 0; table < parsed.Tables.Count; table++)
            more.Add((TableExport(table), EntityKind.Table, table));
        for (var global = 0; global < parsed.Globals.Count; global++)
        {
            if (parsed.Globals[global].IsMutable)
                more.Add((GlobalExport(global), EntityKind.Global, global));
        }
        using var content = new MemoryStream();
        var reader = new ModuleReader(section is { } present ? module.Span[present.Start..present.End] : [0]);
        var count = reader.U32();
        WriteU32(content, count + (uint)more.Count);
        content.Write(section is { } old ? module.Span[(old.Start + reader.Position)..old.End] : []);
        foreach (var (name, kind, index) in more)
        {
            var bytes = Encoding.UTF8.GetBytes(name);
            WriteU32(content, (uint)bytes.Length);
            content.Write(bytes);
            content.WriteByte((byte)kind);
            WriteU32(content, (uint)index);
        }
        return content.ToArray();
    }

    private static byte[] Code(ReadOnlySpan<byte> section)
    {
        using var content = new MemoryStream(section.Length + (section.Length / 8));
        using var body = new MemoryStream();
        var reader = new ModuleReader(section);
        var count = reader.Count();
        WriteU32(content, (uint)count);
        for (; count > 0; count--)
        {
            body.SetLength(0);
            WriteBody(body, reader.Bytes(reader.Count()));
            WriteU32(content, (uint)body.Length);
            content.Write(body.GetBuffer().AsSpan(0, (int)body.Length));
        }
        return content.ToArray();
    }

    private static void WriteBody(MemoryStream body, ReadOnlySpan<byte> source)
    {
        var reader = new ModuleReader(source);
        for (var groups = reader.Count(); groups > 0; groups--)
        {
            reader.U32();
            ValueType.Read(ref reader);
        }
        var written = 0;
        while (!reader.IsAtEnd)
        {
            var instruction = reader.Position;
            if (!InstructionReader.SkipOperands(ref reader, reader.Byte()))
                continue;
            body.Write(source[written..instruction]);
            written = instruction;
            // loop, end
            body.Write([0x03, 0x40, End]);
        }
        body.Write(source[written..]);
    }

    /// <summary>
    /// An active segment counts as dropped after instantiation. An empty one behaves the same for instructions that use it.
    /// </summary>
    private static byte[] Data(ReadOnlySpan<byte> section)
    {
        using var content = new MemoryStream();
        var reader = new ModuleReader(section);
        var count = reader.Count();
        WriteU32(content, (uint)count);
        for (; count > 0; count--)
        {
            var flags = reader.U32();
            if (flags == 2)
                reader.U32();
            if ((flags & 1) == 0)
                ConstantExpression.Read(ref reader, []);
            var bytes = reader.Bytes(reader.Count());
            content.WriteByte(1);
            WriteU32(content, (flags & 1) == 0 ? 0 : (uint)bytes.Length);
            content.Write((flags & 1) == 0 ? [] : bytes);
        }
        return content.ToArray();
    }

    internal static void WriteSection(Stream output, byte id, ReadOnlySpan<byte> content)
    {
        output.WriteByte(id);
        WriteU32(output, (uint)content.Length);
        output.Write(content);
    }

    private static void WriteU32(Stream stream, uint value)
    {
        for (; value >= 0x80; value >>= 7)
            stream.WriteByte((byte)(value | 0x80));
        stream.WriteByte((byte)value);
    }
}
