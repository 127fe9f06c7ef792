using System.Collections.Frozen;

namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>A decoded and completely validated module. Immutable. Index spaces begin with the imports.</summary>
public sealed class WasmModule
{
    internal WasmModule(ModuleDraft parts)
    {
        Types = [.. parts.Types];
        Imports = [.. parts.Imports];
        Exports = parts.Exports.ToFrozenDictionary(export => export.Name, StringComparer.Ordinal);
        FunctionTypes = [.. parts.FunctionTypes];
        TableTypes = [.. parts.TableTypes];
        MemoryTypes = [.. parts.MemoryTypes];
        GlobalTypes = [.. parts.GlobalTypes];
        ImportedFunctions = parts.ImportedFunctions;
        ImportedTables = parts.ImportedTables;
        ImportedMemories = parts.ImportedMemories;
        ImportedGlobals = parts.ImportedGlobals;
        Globals = [.. parts.Globals];
        Elements = [.. parts.Elements];
        Data = [.. parts.Data];
        Bodies = [.. parts.Bodies];
        Start = parts.Start;
        ReferencedFunctions = [.. parts.References];
        Dylink = parts.Dylink;
    }

    /// <summary>What the module needs from its host or from other modules, in the order of its import section.</summary>
    public IReadOnlyList<Import> Imports { get; }

    /// <summary>What the module offers, by name.</summary>
    public FrozenDictionary<string, Export> Exports { get; }

    /// <summary>The types of all functions, imported ones first.</summary>
    public IReadOnlyList<FunctionType> FunctionTypes { get; }

    internal FunctionType[] Types { get; }

    internal TableType[] TableTypes { get; }

    internal MemoryType[] MemoryTypes { get; }

    internal GlobalType[] GlobalTypes { get; }

    internal int ImportedFunctions { get; }

    internal int ImportedTables { get; }

    internal int ImportedMemories { get; }

    internal int ImportedGlobals { get; }

    internal Global[] Globals { get; }

    internal ElementSegment[] Elements { get; }

    internal DataSegment[] Data { get; }

    /// <summary>The functions the module defines; empty when the module was decoded without its code.</summary>
    internal FunctionBody[] Bodies { get; }

    /// <summary>The function to run at instantiation; -1 when there is none.</summary>
    internal int Start { get; }

    /// <summary>Functions that may be referred to as values: exported, or named by an element segment or a global.</summary>
    internal int[] ReferencedFunctions { get; }

    internal DylinkInfo? Dylink { get; }

    /// <summary>Decodes and validates a module (sections 5 and 3 of the specification).</summary>
    /// <exception cref="WasmFormatException">The module is malformed, invalid, unsupported or beyond a limit.</exception>
    public static WasmModule Decode(ReadOnlyMemory<byte> bytes) => ModuleDecoder.Decode(bytes, withCode: true);

    /// <summary>Decodes a module whose code section <see cref="ModuleStripper"/> removed: all that is needed to run its compiled code.</summary>
    internal static WasmModule DecodeStripped(ReadOnlyMemory<byte> bytes) => ModuleDecoder.Decode(bytes, withCode: false);

    /// <summary>The type of a block instruction.</summary>
    internal FunctionType BlockType(int index) => BlockTypes.Of(index, Types);
}

/// <summary>The types of blocks that name no entry of the type section.</summary>
internal static class BlockTypes
{
    private static readonly FunctionType Empty = new([], []);

    private static readonly FrozenDictionary<ValueType, FunctionType> OneResult =
        new[] { ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64, ValueType.V128, ValueType.FuncRef, ValueType.ExternRef }
            .ToFrozenDictionary(type => type, type => new FunctionType([], [type]));

    /// <summary>The type behind <see cref="Instruction.Index"/> of a block.</summary>
    public static FunctionType Of(int index, IReadOnlyList<FunctionType> types) => index switch
    {
        >= 0 => types[index],
        Instruction.EmptyBlock => Empty,
        _ => OneResult[(ValueType)(-index)],
    };
}
