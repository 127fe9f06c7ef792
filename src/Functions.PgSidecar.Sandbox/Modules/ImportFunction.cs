using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>Makes a <see cref="ModuleImport"/> a host function: checks the pointers and lengths that the guest passes.</summary>
internal sealed unsafe class ImportFunction(ModuleImport import) : HostFunction(TypeOf(import))
{
    /// <summary>Wasmtime passes them in 16 cells.</summary>
    private const int MaxBuffers = 8;

    /// <inheritdoc/>
    public override void Invoke(RawValue* values, Instance instance) =>
        values[0].I64 = (uint)Run(new ReadOnlySpan<RawValue>(values, 2 * import.Buffers), instance);

    private CallStatus Run(ReadOnlySpan<RawValue> parameters, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        process.Clear();
        var total = 0L;
        for (var length = 1; length < parameters.Length; length += 2)
            total += (uint)parameters[length].I32;
        if (total > BindingCalls.MaxArguments)
            return BindingCalls.TooLong(process);
        var memory = new GuestMemory(instance);
        for (var address = 0; address < parameters.Length; address += 2)
        {
            if (!memory.TrySlice(parameters[address].I32, parameters[address + 1].I32, out _))
                return CallStatus.Fault;
        }
        return import.Handler(new ImportCall(instance, process, parameters));
    }

    private static string TypeOf(ModuleImport import)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(import.Buffers, MaxBuffers);
        return string.Concat(Enumerable.Repeat("ii", import.Buffers)) + ":i";
    }
}
