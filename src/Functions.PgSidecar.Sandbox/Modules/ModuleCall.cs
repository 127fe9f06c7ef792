using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>Calls a module's functions by the conventions of docs/wasm-abi.md.</summary>
internal static class ModuleCall
{
    /// <summary>Runs the start function and <c>_initialize</c>. A module may have either, both or neither.</summary>
    public static void Start(Instance instance, ModulePlan plan)
    {
        if (plan.HasStart)
            instance.Call(instance.Function(ModuleRewriter.StartExport), new RawValue[1]);
        if (plan.HasInitialize)
            instance.Call(instance.Function(ModulePlan.Initialize), new RawValue[1]);
    }

    /// <summary>Runs a module once.</summary>
    /// <param name="instance">A new instance.</param>
    /// <param name="plan">How the module is called.</param>
    /// <param name="starts">Whether to start the module first.</param>
    /// <param name="process">Serves the module's imports; it becomes the instance's host state.</param>
    /// <returns>The answer: the standard output of a command, or the result of a reactor's handler.</returns>
    /// <exception cref="GuestException">It exited with a code other than 0, or its result is not in its memory.</exception>
    /// <exception cref="WasmTrapException">It trapped.</exception>
    public static ReadOnlyMemory<byte> Run(Instance instance, ModulePlan plan, bool starts, WasiProcess process)
    {
        instance.HostState = process;
        try
        {
            if (starts)
                Start(instance, plan);
            if (!plan.Form.IsCommand)
                return RunHandler(instance, plan.Form.Entry, process);
            instance.Call(instance.Function(plan.Form.Entry), new RawValue[1]);
            return process.Output;
        }
        catch (WasiExitException exit)
        {
            if (exit.Code != 0)
                throw new GuestException(new GuestError("Error", $"The module exited with code {exit.Code}.", Code: "EXIT"));
            return process.Output;
        }
        finally
        {
            process.Lines.Flush();
        }
    }

    /// <summary>
    /// Writes the event where the module's allocator says. The handler returns the address of its answer in the upper half of the result,
    /// its length in the lower half.
    /// </summary>
    private static ReadOnlyMemory<byte> RunHandler(Instance instance, string entry, WasiProcess process)
    {
        var input = process.Input;
        process.Input = default;
        var values = new RawValue[2];
        values[0].I64 = input.Length;
        instance.Call(instance.Function(ModuleForm.Allocator), values);
        var address = values[0].I32;
        if ((address == 0 && input.Length > 0) || !new GuestMemory(instance).TrySlice(address, input.Length, out var target))
            throw Violation($"alloc({input.Length}) returned no address in the module's memory with that much space.");
        input.Span.CopyTo(target);
        values[0].I64 = (uint)address;
        values[1].I64 = input.Length;
        instance.Call(instance.Function(entry), values);
        var result = values[0].I64;
        if ((uint)result > WasiProcess.MaxOutput || !new GuestMemory(instance).TryCopy((int)(result >>> 32), (int)result, out var answer))
            throw Violation($"{entry} returned an answer that is not in the module's memory, or is too long.");
        return answer;
    }

    private static GuestException Violation(string message) => new(new GuestError("Error", message, Code: "ABI"));
}
