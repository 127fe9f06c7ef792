using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>How a module is called: as a WASI command, or as a reactor by its handler.</summary>
/// <param name="Entry">The export that is called: <c>_start</c>, or the handler.</param>
/// <param name="IsCommand">Whether the event is the standard input, and the answer the standard output.</param>
internal sealed record ModuleForm(string Entry, bool IsCommand)
{
    /// <summary>The export that is a reactor's handler by default.</summary>
    public const string DefaultHandler = "handler";

    /// <summary>A reactor's allocator: bytes in, address out.</summary>
    public const string Allocator = "alloc";

    private const string Start = "_start";
    private const string Memory = "memory";

    /// <summary>Determines the form of a module, and checks the types of its exports.</summary>
    /// <param name="module">The module.</param>
    /// <param name="handler">The export to call, or <see langword="null"/>: <c>_start</c>, else <c>handler</c>.</param>
    /// <exception cref="ModuleException">The module has no such export, or one of another type.</exception>
    public static ModuleForm Of(ParsedModule module, string? handler)
    {
        if (handler is null && module.Exports.ContainsKey(Start))
        {
            Require(module, Start, [], [], "()");
            return new ModuleForm(Start, IsCommand: true);
        }
        var entry = handler ?? DefaultHandler;
        if (!module.Exports.ContainsKey(entry))
        {
            throw new ModuleException(
                handler is null
                    ? "The module exports neither _start (a WASI command) nor handler (a reactor)."
                    : $"The module exports no function '{handler}', which the option handler names."
            );
        }
        Require(module, entry, [ValueType.I32, ValueType.I32], [ValueType.I64], "(i32 address, i32 length) -> i64");
        Require(module, Allocator, [ValueType.I32], [ValueType.I32], "(i32 length) -> i32 address");
        if (!module.Exports.TryGetValue(Memory, out var memory) || memory.Kind != EntityKind.Memory)
            throw new ModuleException("The module does not export its memory under the name 'memory'.");
        return new ModuleForm(entry, IsCommand: false);
    }

    private static void Require(
        ParsedModule module,
        string export,
        ReadOnlySpan<byte> parameters,
        ReadOnlySpan<byte> results,
        string signature
    )
    {
        if (!module.Exports.TryGetValue(export, out var found) || found.Kind != EntityKind.Function)
            throw new ModuleException($"The module exports no function '{export}'.");
        if (found.Index < module.Imports.Count)
            throw new ModuleException($"The export '{export}' is an import; it must be a function of the module itself.");
        if (module.TypeOf(found.Index)?.Is(parameters, results) != true)
            throw new ModuleException($"The export '{export}' must be a function {signature}.");
    }
}
