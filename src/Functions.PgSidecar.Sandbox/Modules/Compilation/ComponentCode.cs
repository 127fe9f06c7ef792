using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>The result of compiling a component.</summary>
/// <param name="Interface">The exported interface that is called, with its version.</param>
/// <param name="IsHandler">Whether it handles HTTP requests (<c>wasi:http/incoming-handler</c>); else it is a command
/// (<c>wasi:cli/run</c>).</param>
/// <param name="Code">Machine code, for <see cref="Component.Load"/>.</param>
internal sealed record ComponentCode(string Interface, bool IsHandler, byte[] Code) : ICompiled
{
    private const string Handler = "wasi:http/incoming-handler@0.2.";
    private const string Command = "wasi:cli/run@0.2.";

    /// <summary>The function of the interface that is called.</summary>
    public string Function => IsHandler ? "handle" : "run";

    /// <summary>Compiles a component.</summary>
    /// <exception cref="ModuleException">It can't be compiled; the message says why.</exception>
    public static ComponentCode Compile(ReadOnlyMemory<byte> component, string? handler, bool countFuel)
    {
        if (handler is not null)
            throw new ModuleException(
                "The option handler is for modules: of a component, wasi:http/incoming-handler or wasi:cli/run is called."
            );
        var engine = Engines.Of(countFuel);
        var (code, exports) = Component.Compile(engine, ComponentRewriter.Rewrite(engine, component.Span));
        var found = exports.FirstOrDefault(static name => name.StartsWith(Handler, StringComparison.Ordinal));
        if (found is not null)
            return new ComponentCode(found, IsHandler: true, code);
        found = exports.FirstOrDefault(static name => name.StartsWith(Command, StringComparison.Ordinal));
        return found is not null
            ? new ComponentCode(found, IsHandler: false, code)
            : throw new ModuleException("The component exports neither wasi:http/incoming-handler nor wasi:cli/run of WASI 0.2.");
    }

    /// <inheritdoc/>
    public void WriteTo(BinaryWriter writer)
    {
        writer.Write(Interface);
        writer.Write(IsHandler);
        writer.Write(Code.Length);
        writer.Write(Code);
    }

    /// <summary>Reads what <see cref="WriteTo"/> has written.</summary>
    public static ComponentCode Read(BinaryReader reader)
    {
        var (name, isHandler, length) = (reader.ReadString(), reader.ReadBoolean(), reader.ReadInt32());
        var code = reader.ReadBytes(length);
        return code.Length == length ? new ComponentCode(name, isHandler, code) : throw new EndOfStreamException();
    }
}
