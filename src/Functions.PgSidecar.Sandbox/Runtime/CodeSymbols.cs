namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// Names for the addresses of code, that mean the same in every process that runs the same image: "f module function" or "h module name".
/// </summary>
internal sealed class CodeSymbols(CompiledImage image, HostFunctions host)
{
    private readonly Lazy<Dictionary<nint, string>> names = new(() => Collect(image, host));

    /// <exception cref="InvalidOperationException">The address is of no function of the image or the host.</exception>
    public string NameOf(nint code) =>
        names.Value.TryGetValue(code, out var name) ? name : throw new InvalidOperationException($"No function begins at {code:x}.");

    /// <exception cref="InvalidDataException">The name means nothing here.</exception>
    public nint AddressOf(string name)
    {
        var parts = name.Split(' ', 3);
        if (parts.Length == 3 && parts[0] == "h" && host.TryFind(parts[1], parts[2], out var function))
            return function.Code;
        if (parts.Length == 3 && parts[0] == "f"
            && int.TryParse(parts[1], out var module) && (uint)module < (uint)image.Modules.Count
            && int.TryParse(parts[2], out var index) && image.Modules[module].AddressOf(index) is not 0 and var address)
            return address;
        throw new InvalidDataException($"The snapshot refers to {name}, which does not exist here.");
    }

    /// <summary>Where code addresses are kept in a mapping: function imports, tables and globals of function type. Null ones included.</summary>
    public static unsafe IEnumerable<int> Places(GroupPlacement placement, nint mapping)
    {
        foreach (var module in placement.Modules)
        {
            var definition = module.Module.Definition;
            for (var import = 0; import < definition.ImportedFunctions; import++)
                yield return module.ContextOffset + module.Module.Layout.FunctionSlot(import);
            for (var global = definition.ImportedGlobals; global < definition.GlobalTypes.Length; global++)
            {
                if (definition.GlobalTypes[global].Value == Wasm.ValueType.FuncRef)
                    yield return module.GlobalOffset(global);
            }
        }

        foreach (var table in placement.Tables.Where(table => table.Element == Wasm.ValueType.FuncRef))
        {
            var length = LengthOf(table, mapping);
            for (var index = 0; index < length; index++)
                yield return table.Offset + index * FunctionReference.Size;
        }
    }

    private static unsafe uint LengthOf(TablePlacement table, nint mapping) => *(uint*)(mapping + table.Sharers[0] + sizeof(long));

    private static Dictionary<nint, string> Collect(CompiledImage image, HostFunctions host)
    {
        var found = new Dictionary<nint, string>();
        for (var module = 0; module < image.Modules.Count; module++)
        {
            for (var function = 0; function < image.Modules[module].Definition.FunctionTypes.Count; function++)
            {
                if (image.Modules[module].AddressOf(function) is not 0 and var address)
                    found[address] = $"f {module} {function}";
            }
        }

        foreach (var (import, function) in host.All)
            found[function.Code] = $"h {import.Module} {import.Name}";
        return found;
    }
}
