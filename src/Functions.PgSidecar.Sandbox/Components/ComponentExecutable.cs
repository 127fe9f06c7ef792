using System.Text.Json;
using Functions.PgSidecar.Sandbox.Components.Http;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Components;

/// <summary>
/// A component of WASI 0.2: a command (<c>wasi:cli/run</c>), which reads the event from its standard input and writes the answer to its
/// standard output, or a handler of HTTP requests (<c>wasi:http/incoming-handler</c>).
/// </summary>
internal sealed class ComponentExecutable : WasmExecutable
{
    private readonly Component component;
    private readonly IOutgoingHttp http;
    private readonly string entry;
    private readonly bool isHandler;
    private readonly nint export;

    /// <param name="component">The loaded code.</param>
    /// <param name="code">How it is called.</param>
    /// <param name="http">Sends its requests.</param>
    /// <exception cref="ModuleException">It does not export the function.</exception>
    public ComponentExecutable(Component component, ComponentCode code, IOutgoingHttp http)
    {
        this.component = component;
        this.http = http;
        (entry, isHandler) = (code.Interface, code.IsHandler);
        export = component.FindExport(code.Interface, code.Function);
        if (export != 0)
            return;
        component.Dispose();
        throw new ModuleException($"The component's {code.Interface} has no function {code.Function}.");
    }

    /// <inheritdoc/>
    public override long ByteLength => component.CodeBytes;

    /// <inheritdoc/>
    public override bool CountsFuel => component.Engine.CountsFuel;

    /// <inheritdoc/>
    public override bool IsFreed => component.IsClosed;

    /// <inheritdoc/>
    public override (string Form, string Entry, bool StartsEachTime) Description => ("component", entry, true);

    /// <summary>Reads what <see cref="WriteTo"/> has written.</summary>
    /// <exception cref="ModuleException">It does not fit this engine.</exception>
    public static ComponentExecutable Read(BinaryReader reader, Engine engine, IOutgoingHttp http)
    {
        var code = ComponentCode.Read(reader);
        return new ComponentExecutable(Component.Load(engine, code.Code), code, http);
    }

    /// <summary>The host's side of one of its runs.</summary>
    public ComponentProcess NewProcess(WasiProcess environment) => new(environment, http);

    /// <inheritdoc/>
    public override Store NewStore(long memoryBytes) => new ComponentInstance(component, WasiLinker.Of(component.Engine), memoryBytes);

    /// <inheritdoc/>
    public override GuestAnswer Run(Store store, in GuestInput input, IModuleHost host)
    {
        using var envelope = JsonDocument.Parse(input.Envelope, ModuleEvent.Deep);
        var root = envelope.RootElement;
        var environment = new WasiProcess(store, host)
        {
            Arguments = [WasiProcess.Terminated(input.Name)],
            Environment = ModuleEvent.VariablesOf(root),
            Input = isHandler ? default : ModuleEvent.Read(input.Envelope, input.Body).Json,
            LogsOutput = isHandler,
        };
        var process = NewProcess(environment);
        store.HostState = process;
        try
        {
            Call((ComponentInstance)store, process, root, input.Body);
        }
        catch (WasiExitException exit)
        {
            if (exit.Code != 0)
                throw new GuestException(new GuestError("Error", $"The component exited with code {exit.Code}.", Code: "EXIT"));
        }
        finally
        {
            environment.Lines.Flush();
        }
        return isHandler ? HandlerAnswer.Of(process.Answer, root) : ModuleAnswer.Of(environment.Output, ModuleEvent.IsAnswered(root));
    }

    /// <inheritdoc/>
    public override void WriteTo(BinaryWriter writer, ReadOnlySpan<byte> code) =>
        new ComponentCode(entry, isHandler, code.ToArray()).WriteTo(writer);

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (component.IsClosed)
            return;
        Component.DeleteExport(export);
        component.Dispose();
    }

    private void Call(ComponentInstance instance, ComponentProcess process, JsonElement envelope, ReadOnlyMemory<byte> body)
    {
        instance.Instantiate();
        if (!isHandler)
        {
            var results = new ComponentValue[1];
            instance.Call(export, [], results);
            var succeeded = results[0] is { Kind: ComponentKind.Result, IsOk: 1 };
            ComponentValues.Delete(ref results[0]);
            if (!succeeded)
                throw new GuestException(new GuestError("Error", "The component's run ended with an error.", Code: "EXIT"));
            return;
        }
        var request = ModuleEvent.IsRequest(envelope)
            ? IncomingRequest.Of(envelope, body)
            : IncomingRequest.OfEvent(ModuleEvent.EventOf(envelope));
        ComponentValue[] arguments =
        [
            instance.Own(process.Add(request), (uint)WasiResource.IncomingRequest),
            instance.Own(process.Add(new ResponseOutparam()), (uint)WasiResource.ResponseOutparam),
        ];
        try
        {
            instance.Call(export, arguments, []);
        }
        finally
        {
            ComponentValues.Delete(ref arguments[0]);
            ComponentValues.Delete(ref arguments[1]);
        }
    }
}
