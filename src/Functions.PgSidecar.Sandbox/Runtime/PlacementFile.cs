using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>The part of a snapshot file that tells where everything lies.</summary>
internal static unsafe class PlacementFile
{
    public static void Write(BinaryWriter writer, GroupPlacement placement)
    {
        writer.Write(placement.HeaderBytes);
        writer.Write(placement.Tables.Count);
        foreach (var table in placement.Tables)
        {
            writer.Write((byte)table.Element);
            writer.Write(table.Offset);
            writer.Write(table.Capacity);
            WriteMaximum(writer, table.Maximum);
            WriteOffsets(writer, table.Sharers);
        }

        writer.Write(placement.Memories.Count);
        foreach (var memory in placement.Memories)
        {
            WriteMaximum(writer, memory.Maximum);
            WriteOffsets(writer, memory.Sharers);
        }

        writer.Write(placement.Modules.Count);
        foreach (var module in placement.Modules)
        {
            writer.Write(module.Module.Name);
            writer.Write(module.ContextOffset);
            writer.Write(module.Memory is not null);
            WriteOffsets(writer, [.. module.Tables.Select(table => placement.Tables.IndexOf(table))]);
            WriteOffsets(writer, module.ImportedGlobals);
        }
    }

    public static GroupPlacement Read(BinaryReader reader, CompiledImage image, HostFunctions host)
    {
        var headerBytes = reader.ReadInt32();
        if (headerBytes != GroupPlacement.HeaderBytesOf(image.Modules.Select(module => module.Definition)))
            throw new InvalidDataException("The snapshot's header has another size than the image's code counts on.");
        var placement = new GroupPlacement(host, headerBytes) { IsFrozen = true };
        for (var left = reader.ReadInt32(); left > 0; left--)
        {
            var table = new TablePlacement((ValueType)reader.ReadByte(), reader.ReadInt32(), reader.ReadInt32(), ReadMaximum(reader));
            CheckRange(placement, table.Offset, (long)table.Capacity * FunctionReference.Size);
            table.Sharers.AddRange(ReadOffsets(reader, placement, 16));
            placement.Tables.Add(table);
        }

        for (var left = reader.ReadInt32(); left > 0; left--)
        {
            var memory = new MemoryPlacement(placement.Memories.Count, ReadMaximum(reader));
            memory.Sharers.AddRange(ReadOffsets(reader, placement, ModuleContext.Size));
            placement.Memories.Add(memory);
        }

        for (var left = reader.ReadInt32(); left > 0; left--)
            placement.Modules.Add(ReadModule(reader, image, placement));
        if (placement.Modules.Count == 0 || placement.Memories.Count > 1)
            throw new InvalidDataException("The snapshot has no module or several memories.");
        if (placement.Modules[0].Module != image.Modules[0] || placement.Modules[0].ContextOffset != GroupHeader.Size)
            throw new InvalidDataException("The snapshot's main module is not where the image's code counts on it.");
        return placement;
    }

    /// <summary>Recovers what imports were bound to from the contexts' slots.</summary>
    public static void BindImports(GroupPlacement placement, nint mapping)
    {
        foreach (var module in placement.Modules)
        {
            for (var import = 0; import < module.Module.Definition.ImportedFunctions; import++)
            {
                var slot = (byte*)mapping + module.ContextOffset + module.Module.Layout.FunctionSlot(import);
                var context = module.ContextOffset + (int)*(long*)(slot + sizeof(long));
                module.ImportedFunctions.Add(new ExternalFunction(module.Module.Definition.FunctionTypes[import], *(nint*)slot, context));
            }
        }
    }

    private static ModulePlacement ReadModule(BinaryReader reader, CompiledImage image, GroupPlacement placement)
    {
        var name = reader.ReadString();
        var module = image.Modules.FirstOrDefault(candidate => candidate.Name == name)
            ?? throw new InvalidDataException($"The snapshot has a module {name} that the image lacks.");
        var placed = new ModulePlacement(module, placement.Modules.Count, reader.ReadInt32());
        CheckRange(placement, placed.ContextOffset, module.Layout.Size);
        placed.Memory = reader.ReadBoolean() ? placement.Memories[0] : null;
        foreach (var table in ReadOffsets(reader, placement, 0))
            placed.Tables.Add(placement.Tables[table]);
        placed.ImportedGlobals.AddRange(ReadOffsets(reader, placement, 16));
        return placed;
    }

    private static void WriteMaximum(BinaryWriter writer, uint? maximum) => writer.Write(maximum ?? -1L);

    private static uint? ReadMaximum(BinaryReader reader) => reader.ReadInt64() is >= 0 and var maximum ? checked((uint)maximum) : null;

    private static void WriteOffsets(BinaryWriter writer, List<int> offsets)
    {
        writer.Write(offsets.Count);
        foreach (var offset in offsets)
            writer.Write(offset);
    }

    private static int[] ReadOffsets(BinaryReader reader, GroupPlacement placement, int bytesAtEach)
    {
        var count = reader.ReadInt32();
        if (count < 0 || count > Wasm.WasmLimits.Globals)
            throw new InvalidDataException("The snapshot is damaged.");
        var offsets = new int[count];
        for (var index = 0; index < count; index++)
            CheckRange(placement, offsets[index] = reader.ReadInt32(), bytesAtEach);
        return offsets;
    }

    private static void CheckRange(GroupPlacement placement, int offset, long bytes)
    {
        if (offset < 0 || bytes < 0 || offset + bytes > placement.HeaderBytes)
            throw new InvalidDataException("The snapshot refers to something outside its header.");
    }
}
