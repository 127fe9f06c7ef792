using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>All functions that modules can import.</summary>
internal static class ModuleFunctions
{
    /// <summary>The functions of WASI, of <c>pgfn</c>, and of an import module of the host.</summary>
    public static HostFunctionTable With(ImportModule imports)
    {
        var table = new HostFunctionTable(
            typeof(WasiCalls),
            typeof(WasiStreams),
            typeof(WasiTime),
            typeof(WasiRefusals),
            typeof(BindingCalls)
        );
        foreach (var name in BindingCalls.OfEveryModule)
            table.Add(imports.Name, name, table.Functions[(BindingCalls.Module, name)]);
        foreach (var import in imports.Imports)
            table.Add(imports.Name, import.Name, new ImportFunction(import));
        return table;
    }
}
