using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>A module: its machine code, and the state in which every run begins.</summary>
internal sealed class ModuleExecutable(Module module, ModulePlan plan, ModuleState state) : WasmExecutable
{
    /// <inheritdoc/>
    public override long ByteLength => state.ByteLength + module.CodeBytes;

    /// <inheritdoc/>
    public override bool CountsFuel => module.Engine.CountsFuel;

    /// <inheritdoc/>
    public override bool IsFreed => module.IsClosed;

    /// <inheritdoc/>
    public override (string Form, string Entry, bool StartsEachTime) Description =>
        (plan.Form.IsCommand ? "command" : "reactor", plan.Form.Entry, state.StartsEachTime);

    /// <summary>Reads what <see cref="WriteTo"/> has written.</summary>
    /// <exception cref="ModuleException">It does not fit this engine.</exception>
    public static ModuleExecutable Read(BinaryReader reader, Engine engine, HostFunctionTable functions)
    {
        var plan = ModulePlan.Read(reader);
        var state = ModuleState.Read(reader, plan);
        try
        {
            var length = reader.ReadInt32();
            var code = reader.ReadBytes(length);
            return code.Length == length
                ? new ModuleExecutable(Module.Load(engine, code, functions), plan, state)
                : throw new EndOfStreamException();
        }
        catch
        {
            state.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override Store NewStore(long memoryBytes) => state.Instantiate(module, plan, memoryBytes);

    /// <inheritdoc/>
    public override GuestAnswer Run(Store store, in GuestInput input, IModuleHost host)
    {
        var given = ModuleEvent.Read(input.Envelope, input.Body);
        var process = new WasiProcess(store, host)
        {
            Arguments = [WasiProcess.Terminated(input.Name)],
            Environment = given.Environment,
            Input = given.Json,
            LogsOutput = !plan.Form.IsCommand,
        };
        return ModuleAnswer.Of(ModuleCall.Run((Instance)store, plan, state.StartsEachTime, process), given.IsHttp);
    }

    /// <inheritdoc/>
    public override void WriteTo(BinaryWriter writer, ReadOnlySpan<byte> code)
    {
        plan.WriteTo(writer);
        state.WriteTo(writer);
        writer.Write(code.Length);
        writer.Write(code);
    }

    /// <inheritdoc/>
    public override void ShareWith(MemoryBudget all) => state.ShareWith(all);

    /// <inheritdoc/>
    public override void Trim() => state.Trim();

    /// <inheritdoc/>
    public override void Dispose()
    {
        state.Dispose();
        module.Dispose();
    }
}
