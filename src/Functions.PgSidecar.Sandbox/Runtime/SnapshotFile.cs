using System.Text;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// Snapshots as bytes. Layout: magic, engine id, placement, the names of all code addresses, then the pages that are not all zero; numbers as
/// <see cref="BinaryWriter"/> writes them. The reader checks that everything lies within bounds, but the contents of contexts are believed: read only
/// what this program wrote.
/// </summary>
internal static unsafe class SnapshotFile
{
    private const string Magic = "PGFN-SNAPSHOT-1";
    private const int PageBytes = NativeMethods.PageBytes;

    public static void Write(InstanceSnapshot snapshot, Stream destination)
    {
        using var writer = new BinaryWriter(destination, Encoding.UTF8, leaveOpen: true);
        writer.Write(Magic);
        writer.Write(snapshot.Image.EngineId);
        writer.Write(snapshot.Pages);
        PlacementFile.Write(writer, snapshot.Placement);
        var symbols = new CodeSymbols(snapshot.Image, snapshot.Placement.Host);
        var places = CodeSymbols.Places(snapshot.Placement, (nint)snapshot.Pristine)
            .Where(place => *(nint*)(snapshot.Pristine + place) != 0).ToArray();
        writer.Write(places.Length);
        foreach (var place in places)
        {
            writer.Write(place);
            writer.Write(symbols.NameOf(*(nint*)(snapshot.Pristine + place)));
        }

        WritePages(writer, snapshot, places);
    }

    public static InstanceSnapshot Read(CompiledImage image, Stream source, HostFunctions host)
    {
        using var reader = new BinaryReader(source, Encoding.UTF8, leaveOpen: true);
        try
        {
            if (reader.ReadString() != Magic)
                throw new InvalidDataException("This is no snapshot.");
            if (reader.ReadString() != image.EngineId)
                throw new InvalidDataException("The snapshot was made by another engine.");
            var pages = reader.ReadInt32();
            if (pages is < 0 or > Wasm.WasmLimits.MemoryPages)
                throw new InvalidDataException("The snapshot's memory is too large.");
            var placement = PlacementFile.Read(reader, image, host);
            var code = ReadCode(reader, image, placement);
            return InstanceSnapshot.Create(image, placement, pages, snapshot =>
            {
                ReadPages(reader, snapshot);
                foreach (var (place, address) in code)
                    *(nint*)(snapshot.Pristine + place) = address;
                PlacementFile.BindImports(placement, (nint)snapshot.Pristine);
            });
        }
        catch (Exception exception) when (exception is EndOfStreamException or FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException("The snapshot is damaged.", exception);
        }
    }

    /// <summary>Writes the pages that hold anything, with zeros in the place of addresses.</summary>
    private static void WritePages(BinaryWriter writer, InstanceSnapshot snapshot, int[] places)
    {
        var byPage = places.ToLookup(place => place / PageBytes);
        var buffer = new byte[PageBytes];
        for (var page = 0; page < snapshot.ByteLength / PageBytes; page++)
        {
            new ReadOnlySpan<byte>(snapshot.Pristine + (long)page * PageBytes, PageBytes).CopyTo(buffer);
            foreach (var place in byPage[page])
                buffer.AsSpan(place % PageBytes, sizeof(long)).Clear();
            if (!buffer.AsSpan().ContainsAnyExcept((byte)0))
                continue;
            writer.Write(page);
            writer.Write(buffer);
        }

        writer.Write(-1);
    }

    private static void ReadPages(BinaryReader reader, InstanceSnapshot snapshot)
    {
        for (var page = reader.ReadInt32(); page != -1; page = reader.ReadInt32())
        {
            if (page < 0 || page >= snapshot.ByteLength / PageBytes)
                throw new InvalidDataException("The snapshot has a page outside its memory.");
            reader.BaseStream.ReadExactly(new Span<byte>(snapshot.Pristine + (long)page * PageBytes, PageBytes));
        }
    }

    private static (int Place, nint Address)[] ReadCode(BinaryReader reader, CompiledImage image, GroupPlacement placement)
    {
        var symbols = new CodeSymbols(image, placement.Host);
        var known = new Dictionary<string, nint>(StringComparer.Ordinal);
        var code = new (int Place, nint Address)[reader.ReadInt32()];
        for (var index = 0; index < code.Length; index++)
        {
            var place = reader.ReadInt32();
            if (place < 0 || place > placement.HeaderBytes - sizeof(long) || place % sizeof(long) != 0)
                throw new InvalidDataException("The snapshot has code outside its header.");
            var name = reader.ReadString();
            if (!known.TryGetValue(name, out var address))
                known.Add(name, address = symbols.AddressOf(name));
            code[index] = (place, address);
        }

        return code;
    }
}
