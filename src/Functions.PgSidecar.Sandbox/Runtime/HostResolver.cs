using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Binds a main module: the host offers functions, and nothing else.</summary>
internal sealed class HostResolver(HostFunctions host) : IImportResolver
{
    public ExternalFunction? Function(string module, string name, FunctionType type) =>
        host.TryFind(module, name, out var function) ? new ExternalFunction(function.Type, function.Code, null) : null;

    public TablePlacement? Table(string module, string name) => null;

    public MemoryPlacement? Memory(string module, string name) => null;

    public (GlobalType Type, int Offset)? Global(string module, string name, GlobalType type) => null;
}
