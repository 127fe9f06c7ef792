namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// A module can't become a program: it is invalid, imports something that does not exist, exports no entry, or fails while it starts.
/// </summary>
public sealed class WasmCompileException(string message) : Exception(message);
