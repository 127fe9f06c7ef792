using Functions.PgSidecar.Sandbox.Components.Http;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Components;

/// <summary>The host's side of a running component: its environment, and the resources that it has been given.</summary>
/// <param name="process">Arguments, variables, standard streams.</param>
/// <param name="http">Sends its requests.</param>
internal sealed class ComponentProcess(WasiProcess process, IOutgoingHttp http) : IComponentResources
{
    /// <summary>The most resources at a time. A component that leaks them would otherwise fill the memory of the sidecar.</summary>
    public const int MaxResources = 10_000;

    /// <summary>The most bytes that the host keeps for a component: what it writes to bodies and headers.</summary>
    private const long MaxKeptBytes = 32L << 20;

    private readonly Dictionary<uint, object> resources = [];
    private uint last;
    private long kept;

    /// <summary>Arguments, variables, standard streams.</summary>
    public WasiProcess Environment => process;

    /// <summary>Sends its requests.</summary>
    public IOutgoingHttp Http => http;

    /// <summary>The standard input.</summary>
    public ByteSource Input { get; } = new(process.Input);

    /// <summary>The answer of a handler of HTTP requests, once it has set one.</summary>
    public HttpAnswer? Answer { get; set; }

    /// <summary>The process of a component that has called its host.</summary>
    public static ComponentProcess Of(in ComponentCall call) => (ComponentProcess)call.Instance.HostState!;

    /// <summary>Gives a component a new resource, which it owns.</summary>
    /// <exception cref="GuestException">It has too many.</exception>
    public ComponentValue New(in ComponentCall call, WasiResource type, object resource) => call.Own(Add(resource), (uint)type);

    /// <summary>Adds a resource.</summary>
    /// <returns>Its number.</returns>
    /// <exception cref="GuestException">There are too many.</exception>
    public uint Add(object resource)
    {
        if (resources.Count >= MaxResources)
            throw new GuestException(new GuestError("RangeError", $"The component has more than {MaxResources} resources.", Code: "ABI"));
        resources.Add(++last, resource);
        return last;
    }

    /// <summary>The resource that an argument borrows.</summary>
    public T Borrowed<T>(in ComponentCall call, int index)
        where T : class => Find<T>(call.Resource(index));

    /// <summary>The resource of a number.</summary>
    public T Find<T>(uint number)
        where T : class => resources.GetValueOrDefault(number) as T ?? throw ComponentCall.WrongType();

    /// <summary>The resource that an argument gives back to the host.</summary>
    public T Taken<T>(in ComponentCall call, int index)
        where T : class => Take<T>(call.Resource(index));

    /// <summary>Removes a resource that the component has given back.</summary>
    public T Take<T>(uint number)
        where T : class
    {
        var resource = Find<T>(number);
        resources.Remove(number);
        return resource;
    }

    /// <inheritdoc/>
    public void Drop(uint number)
    {
        if (resources.Remove(number, out var resource))
            (resource as IDisposable)?.Dispose();
    }

    /// <summary>Counts bytes that the host keeps for the component until the end of the run.</summary>
    /// <exception cref="GuestException">They are too many.</exception>
    public void Keep(long bytes)
    {
        kept += bytes;
        if (kept > MaxKeptBytes)
        {
            var message = $"The component made the host keep more than {MaxKeptBytes >> 20} MB of bodies and headers.";
            throw new GuestException(new GuestError("Error", message, Code: "PGFN4414"));
        }
    }
}
