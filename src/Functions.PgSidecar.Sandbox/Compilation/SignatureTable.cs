using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// Numbers function types from 1, equal types alike, in the order they are first seen: what <c>call_indirect</c> compares. All modules that share
/// tables must be compiled with one table; the same modules in the same order always get the same numbers.
/// </summary>
internal sealed class SignatureTable
{
    private readonly Dictionary<FunctionType, int> ids = [];
    private readonly Lock gate = new();

    public int IdOf(FunctionType type)
    {
        lock (gate)
        {
            if (!ids.TryGetValue(type, out var id))
                ids.Add(type, id = ids.Count + 1);
            return id;
        }
    }

    /// <summary>Numbers everything a module declares, so that the numbers do not depend on what is compiled or called first.</summary>
    public void AddAll(WasmModule module)
    {
        foreach (var type in module.Types)
            IdOf(type);
    }
}
