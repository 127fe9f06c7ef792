using System.Text;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>The result of compiling a module.</summary>
/// <param name="Plan">How it is started.</param>
/// <param name="Data">The initial contents of its memories.</param>
/// <param name="Code">Machine code, for <see cref="Module.Load"/>.</param>
internal sealed record CompilationResult(ModulePlan Plan, IReadOnlyList<DataSegment> Data, byte[] Code) : ICompiled
{
    /// <inheritdoc/>
    public void WriteTo(BinaryWriter writer)
    {
        Plan.WriteTo(writer);
        writer.Write(Data.Count);
        foreach (var segment in Data)
        {
            writer.Write(segment.Memory);
            writer.Write(segment.Address);
            writer.Write(segment.Bytes.Length);
            writer.Write(segment.Bytes.Span);
        }
        writer.Write(Code.Length);
        writer.Write(Code);
    }

    /// <exception cref="InvalidDataException">The bytes are no such result.</exception>
    public static CompilationResult Read(BinaryReader reader)
    {
        const int MaxSegments = 100_000;
        var plan = ModulePlan.Read(reader);
        var count = reader.ReadInt32();
        if (count is < 0 or > MaxSegments)
            throw new InvalidDataException("The compiler gave no valid answer.");
        var data = new DataSegment[count];
        for (var index = 0; index < count; index++)
            data[index] = new DataSegment(reader.ReadInt32(), reader.ReadUInt64(), reader.ReadBytes(reader.ReadInt32()));
        return new CompilationResult(plan, data, reader.ReadBytes(reader.ReadInt32()));
    }
}

/// <summary>The result of compiling a module or a component.</summary>
internal interface ICompiled
{
    /// <summary>Writes the result for the process that asked for it.</summary>
    void WriteTo(BinaryWriter writer);
}

/// <summary>
/// Validates, reads, rewrites and compiles the bytes of a module, which may be hostile. The sidecar leaves all of it to a process that it
/// can kill (<see cref="CompilerProcess"/>). Request and answer use the standard streams, and the sidecar itself reads only the answer.
/// </summary>
internal static class ModuleCompilation
{
    private const byte Succeeded = 0,
        Refused = 1,
        SucceededWithComponent = 2;

    /// <summary>The first bytes of a component, in the binary format of the component model.</summary>
    private static ReadOnlySpan<byte> ComponentHeader => [0x00, 0x61, 0x73, 0x6D, 0x0D, 0x00, 0x01, 0x00];

    /// <summary>Compiles a module.</summary>
    /// <param name="module">The module.</param>
    /// <param name="handler">The export to call, or <see langword="null"/>: <c>_start</c>, else <c>handler</c>.</param>
    /// <param name="countFuel">Whether its code counts instructions.</param>
    /// <param name="functions">The functions that it may import.</param>
    /// <exception cref="ModuleException">The module can't be compiled; the message says why.</exception>
    public static CompilationResult Compile(ReadOnlyMemory<byte> module, string? handler, bool countFuel, HostFunctionTable functions)
    {
        var engine = Engines.Of(countFuel);
        engine.Validate(module.Span);
        var parsed = ParsedModule.Read(module);
        var plan = ModulePlan.Of(parsed, handler, functions);
        return new CompilationResult(plan, parsed.Data, engine.Compile(new ModuleRewriter(module, parsed).Write()));
    }

    /// <summary>Compiles a module or a component.</summary>
    /// <exception cref="ModuleException">It can't be compiled; the message says why.</exception>
    public static ICompiled CompileAny(ReadOnlyMemory<byte> bytes, string? handler, bool countFuel, HostFunctionTable functions) =>
        bytes.Span.StartsWith(ComponentHeader)
            ? ComponentCode.Compile(bytes, handler, countFuel)
            : Compile(bytes, handler, countFuel, functions);

    /// <summary>Writes a request for <see cref="Answer"/>.</summary>
    public static void WriteRequest(Stream output, ReadOnlyMemory<byte> module, string? handler, bool countFuel)
    {
        using var writer = new BinaryWriter(output, Encoding.UTF8, leaveOpen: true);
        writer.Write(handler is not null);
        writer.Write(handler ?? "");
        writer.Write(countFuel);
        writer.Write(module.Length);
        writer.Write(module.Span);
    }

    /// <summary>Reads a request, compiles, and writes the answer.</summary>
    public static void Answer(Stream input, Stream output, HostFunctionTable functions)
    {
        using var reader = new BinaryReader(input, Encoding.UTF8, leaveOpen: true);
        using var writer = new BinaryWriter(output, Encoding.UTF8, leaveOpen: true);
        var hasHandler = reader.ReadBoolean();
        var handler = reader.ReadString();
        var countFuel = reader.ReadBoolean();
        var module = reader.ReadBytes(reader.ReadInt32());
        try
        {
            var compiled = CompileAny(module, hasHandler ? handler : null, countFuel, functions);
            writer.Write(compiled is ComponentCode ? SucceededWithComponent : Succeeded);
            compiled.WriteTo(writer);
        }
        catch (ModuleException e)
        {
            writer.Write(Refused);
            writer.Write(e.Message);
        }
    }

    /// <summary>Reads an answer.</summary>
    /// <exception cref="ModuleException">The module can't be compiled.</exception>
    /// <exception cref="InvalidDataException">The bytes are no answer.</exception>
    public static ICompiled ReadAnswer(Stream input)
    {
        using var reader = new BinaryReader(input, Encoding.UTF8, leaveOpen: true);
        try
        {
            return reader.ReadByte() switch
            {
                Succeeded => CompilationResult.Read(reader),
                SucceededWithComponent => ComponentCode.Read(reader),
                _ => throw new ModuleException(reader.ReadString()),
            };
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException or ArgumentException)
        {
            throw new InvalidDataException("The compiler gave no valid answer.", e);
        }
    }
}
