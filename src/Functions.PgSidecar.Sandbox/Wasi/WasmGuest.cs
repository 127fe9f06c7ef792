using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Programs;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>An instance of a module, and how its entry is called.</summary>
internal sealed unsafe class WasmGuest(WasmInstance instance, CompiledImage image, ModuleForm form, long memoryLimit) : IPooledGuest
{
    /// <summary>The instance.</summary>
    public WasmInstance Instance => instance;

    /// <inheritdoc/>
    public long MemoryLimit => memoryLimit;

    /// <inheritdoc/>
    public void Reset(InstanceSnapshot snapshot) => instance.Reset(snapshot);

    /// <inheritdoc/>
    public void Dispose() => instance.Dispose();

    /// <summary>Runs the module once.</summary>
    /// <param name="process">Its world; it becomes the instance's host state.</param>
    /// <returns>What it answers: the standard output of a command, the result of a reactor's handler.</returns>
    /// <exception cref="GuestException">It exited with a code other than 0, or its result is not in its memory.</exception>
    /// <exception cref="WasmTrapException">It trapped.</exception>
    public ReadOnlyMemory<byte> Run(WasiProcess process)
    {
        instance.HostState = process;
        instance.ArmStack();
        try
        {
            return form.IsCommand ? RunCommand(process) : RunHandler(process);
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

    private ReadOnlyMemory<byte> RunCommand(WasiProcess process)
    {
        ((delegate*<nint, void>)image.Function(form.Entry))(instance.Context);
        return process.Output;
    }

    /// <summary>The event is written where the module says; where its answer is, it says in the result: address in the upper half, length in the lower.</summary>
    private ReadOnlyMemory<byte> RunHandler(WasiProcess process)
    {
        var input = process.Input;
        process.Input = default;
        var address = ((delegate*<int, nint, int>)image.Function(ModuleForm.Allocator))(input.Length, instance.Context);
        if ((address == 0 && input.Length > 0) || !new GuestMemory(instance).TrySlice(address, input.Length, out var target))
            throw new GuestException(new GuestError("Error", $"alloc({input.Length}) gave no room in the module's memory.", Code: "ABI"));
        input.Span.CopyTo(target);
        var result = ((delegate*<int, int, nint, long>)image.Function(form.Entry))(address, input.Length, instance.Context);
        if ((uint)result > WasiProcess.MaxOutput || !new GuestMemory(instance).TryCopy((int)(result >>> 32), (int)result, out var answer))
            throw new GuestException(new GuestError("Error", $"{form.Entry} gave an answer that is not in the module's memory, or too long.", Code: "ABI"));
        return answer;
    }
}
