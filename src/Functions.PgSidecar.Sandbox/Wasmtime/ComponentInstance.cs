using System.Text.RegularExpressions;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>An instance of a component in its own store. All of it is new for each run.</summary>
internal sealed unsafe partial class ComponentInstance : Store
{
    /// <summary>
    /// The most instances of modules in a component. Each costs the host memory for its functions and globals, which the compilation
    /// limits per module.
    /// </summary>
    private const int MaxInstances = 16;
    private const int MaxTables = 32;
    private const int MaxMemories = 16;

    private readonly Component component;
    private readonly ComponentLinker linker;
    private ComponentInstanceHandle instance;

    /// <summary>Creates the store. No code of the component runs before <see cref="Instantiate"/>.</summary>
    /// <param name="component">The component; it stays alive while the instance does.</param>
    /// <param name="linker">The functions of the host.</param>
    /// <param name="memoryLimit">The limit of all its memory together, in bytes.</param>
    public ComponentInstance(Component component, ComponentLinker linker, long memoryLimit)
        : base(component.Engine, memoryLimit, MaxInstances, MaxTables, MaxMemories)
    {
        this.component = component;
        this.linker = linker;
        var isHeld = false;
        component.DangerousAddRef(ref isHeld);
        if (component.Engine.CountsFuel)
            Fuel = 0;
    }

    /// <summary>The store's context, for the values of host functions.</summary>
    internal nint NativeContext => Context;

    /// <summary>Instantiates the component, and runs the start functions of its modules.</summary>
    /// <exception cref="WasmLinkException">It imports what the host does not have, or exceeds a limit.</exception>
    /// <exception cref="WasmTrapException">A start function trapped.</exception>
    public void Instantiate()
    {
        BeginEpoch();
        var outer = Enter();
        var error = ComponentNative.wasmtime_component_linker_instantiate(linker.Handle, Context, component.Code, out instance);
        Leave(outer);
        if (error == 0)
            return;
        var message = Native.TakeError(error);
        if (Thrown is null && !IsTrap(message))
            throw new WasmLinkException(Summary(message));
        Throw(message, CodeOf(message));
    }

    /// <summary>Calls an exported function. The caller guarantees that its type fits, and deletes the results.</summary>
    /// <exception cref="WasmLinkException">The export is no function.</exception>
    /// <exception cref="WasmTrapException">The function trapped.</exception>
    public void Call(nint export, Span<ComponentValue> arguments, Span<ComponentValue> results)
    {
        if (!ComponentNative.wasmtime_component_instance_get_func(instance, Context, export, out var function))
            throw new WasmLinkException("The component's export is no function.");
        BeginEpoch();
        var outer = Enter();
        nint error;
        fixed (
            ComponentValue* given = arguments,
                returned = results
        )
        {
            error = ComponentNative.wasmtime_component_func_call(
                function,
                Context,
                given,
                (nuint)arguments.Length,
                returned,
                (nuint)results.Length
            );
        }
        Leave(outer);
        if (error == 0)
            return;
        var message = Native.TakeError(error);
        Throw(message, CodeOf(message));
    }

    /// <summary>A value that gives the guest ownership of a resource of the host.</summary>
    /// <param name="number">The resource.</param>
    /// <param name="type">The number of its type.</param>
    public ComponentValue Own(uint number, uint type)
    {
        var host = ComponentNative.wasmtime_component_resource_host_new(true, number, type);
        var error = ComponentNative.wasmtime_component_resource_host_to_any(Context, host, out var any);
        ComponentNative.wasmtime_component_resource_host_delete(host);
        return error == 0
            ? new ComponentValue { Kind = ComponentKind.Resource, Resource = any }
            : throw new GuestException(new GuestError("Error", Native.TakeError(error), Code: "ABI"));
    }

    /// <inheritdoc/>
    internal override MemorySlot AddMemory(long minimum, long capacity)
    {
        CountMemory(minimum);
        return Share?.TryGrow(minimum) == false ? throw new SharedMemoryException() : AddHeap(minimum, capacity);
    }

    /// <inheritdoc/>
    protected override void ReleaseCode() => component.DangerousRelease();

    /// <summary>
    /// The C API reports traps of components as errors, without a code. These are the texts of the codes that matter to the outcome of a
    /// run.
    /// </summary>
    private static TrapCode? CodeOf(string message) =>
        LastLine(Numbered().Replace(message.TrimEnd(), "")) switch
        {
            "call stack exhausted" => TrapCode.StackOverflow,
            "all fuel consumed by WebAssembly" => TrapCode.OutOfFuel,
            "out of bounds memory access" => TrapCode.MemoryOutOfBounds,
            "wasm `unreachable` instruction executed" => TrapCode.UnreachableCodeReached,
            _ => null,
        };

    private static bool IsTrap(string message) =>
        message.Contains("wasm backtrace", StringComparison.Ordinal)
        || message.Contains("wasm trap", StringComparison.Ordinal)
        || message.Contains("interrupted", StringComparison.Ordinal);

    /// <summary>The first line, and the last cause.</summary>
    private static string Summary(string message)
    {
        var lines = Numbered()
            .Replace(message.TrimEnd(), "")
            .Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return lines.Length <= 1 ? message : $"{lines[0]}: {lines[^1]}";
    }

    /// <summary>The number of a cause, at the head of its line.</summary>
    [GeneratedRegex(@"^\s*\d+: ", RegexOptions.Multiline)]
    private static partial Regex Numbered();
}
