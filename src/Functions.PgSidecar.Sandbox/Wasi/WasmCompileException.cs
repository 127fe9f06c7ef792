namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>A module can't become a program: it is invalid, imports what there is not, exports no entry, or fails while it starts.</summary>
public sealed class WasmCompileException(string message) : Exception(message);
