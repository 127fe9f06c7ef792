using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>Calls a module's functions, by the conventions of docs/wasm-abi.md.</summary>
internal static class ModuleCall
{
    /// <summary>Runs the start function and <c>_initialize</c>, of which a module may have both.</summary>
    public static void Start(Instance instance, ModulePlan plan)
    {
        if (plan.HasStart)
            instance.Call(instance.Function(ModuleRewriter.StartExport), new RawValue[1]);
        if (plan.HasInitialize)
            instance.Call(instance.Function(ModulePlan.Initialize), new RawValue[1]);
    }

    /// <summary>Runs a module once.</summary>
    /// <param name="instance">A new instance.</param>
    /// <param name="plan">How it is called.</param>
    /// <param name="starts">Whether it has to be started first.</param>
    /// <param name="process">Its world; it becomes the instance's host state.</param>
    /// <returns>What it answers: the standard output of a command, the result of a reactor's handler.</returns>
    /// <exception cref="GuestException">It exited with a code other than 0, or its result is not in its memory.</exception>
    /// <exception cref="Runtime.WasmTrapException">It trapped.</exception>
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

    /// <summary>The event is written where the module says; where its answer is, it says in the result: address in the upper half, length in the lower.</summary>
    private static ReadOnlyMemory<byte> RunHandler(Instance instance, string entry, WasiProcess process)
    {
        var input = process.Input;
        process.Input = default;
        var values = new RawValue[2];
        values[0].I64 = input.Length;
        instance.Call(instance.Function(ModuleForm.Allocator), values);
        var address = values[0].I32;
        if ((address == 0 && input.Length > 0) || !new GuestMemory(instance).TrySlice(address, input.Length, out var target))
            throw new GuestException(new GuestError("Error", $"alloc({input.Length}) gave no room in the module's memory.", Code: "ABI"));
        input.Span.CopyTo(target);
        values[0].I64 = (uint)address;
        values[1].I64 = input.Length;
        instance.Call(instance.Function(entry), values);
        var result = values[0].I64;
        if ((uint)result > WasiProcess.MaxOutput || !new GuestMemory(instance).TryCopy((int)(result >>> 32), (int)result, out var answer))
            throw new GuestException(new GuestError("Error", $"{entry} gave an answer that is not in the module's memory, or too long.", Code: "ABI"));
        return answer;
    }
}
