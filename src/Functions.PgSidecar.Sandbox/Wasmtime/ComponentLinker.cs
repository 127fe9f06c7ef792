using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>Makes a static method a function that components can import.</summary>
/// <param name="name">The interface without its version, as in <c>wasi:io/streams</c>.</param>
/// <param name="function">The function, as in <c>[method]input-stream.read</c>.</param>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
internal sealed class ComponentFunctionAttribute(string name, string function) : Attribute
{
    public string Interface => name;

    public string Function => function;
}

/// <summary>The resources of the host that a component uses. It is the host state of its store.</summary>
internal interface IComponentResources
{
    /// <summary>The component has dropped a resource that it owned.</summary>
    void Drop(uint number);
}

/// <summary>A function of the host for components.</summary>
internal delegate void ComponentHostFunction(in ComponentCall call);

/// <summary>A resource of the host: the interface that defines it, and its name there.</summary>
internal readonly record struct ComponentResourceName(string Interface, string Name);

/// <summary>
/// The functions and resources of the host that components of one engine may import. Wasmtime matches any version of an interface that
/// semantic versioning calls compatible. Never freed.
/// </summary>
internal sealed unsafe class ComponentLinker
{
    /// <param name="engine">The engine of the components.</param>
    /// <param name="version">The version of the interfaces.</param>
    /// <param name="types">The types whose methods are the functions.</param>
    /// <param name="resources">The resources. Their index is the number of their type.</param>
    /// <param name="unreachable">Functions that no component can call, because they need a resource that none can get.</param>
    public ComponentLinker(
        Engine engine,
        string version,
        IEnumerable<Type> types,
        IReadOnlyList<ComponentResourceName> resources,
        IEnumerable<(string Interface, string Function)> unreachable
    )
    {
        Handle = ComponentNative.wasmtime_component_linker_new(engine.Handle);
        var functions = Functions(types)
            .Concat(unreachable.Select(static name => (name.Interface, name.Function, (ComponentHostFunction)Refuse)));
        var interfaces = functions.ToLookup(static function => function.Interface);
        var names = interfaces.Select(static group => group.Key).Union(resources.Select(static resource => resource.Interface));
        var root = ComponentNative.wasmtime_component_linker_root(Handle);
        foreach (var name in names)
        {
            var bytes = Encoding.UTF8.GetBytes($"{name}@{version}");
            nint instance;
            fixed (byte* text = bytes)
                Check(ComponentNative.wasmtime_component_linker_instance_add_instance(root, text, (nuint)bytes.Length, out instance));
            for (var type = 0; type < resources.Count; type++)
            {
                if (resources[type].Interface == name)
                    AddResource(instance, resources[type].Name, (uint)type);
            }
            foreach (var (_, function, method) in interfaces[name])
                AddFunction(instance, function, method);
            ComponentNative.wasmtime_component_linker_instance_delete(instance);
        }
        ComponentNative.wasmtime_component_linker_instance_delete(root);
    }

    internal nint Handle { get; }

    private static IEnumerable<(string Interface, string Function, ComponentHostFunction Method)> Functions(IEnumerable<Type> types) =>
        from type in types
        from method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
        from name in method.GetCustomAttributes<ComponentFunctionAttribute>()
        select (name.Interface, name.Function, method.CreateDelegate<ComponentHostFunction>());

    private static void Refuse(in ComponentCall call) =>
        throw new InvalidOperationException("A component called a method of a resource that it can't have.");

    private static void AddResource(nint instance, string name, uint type)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        var native = ComponentNative.wasmtime_component_resource_type_new_host(type);
        fixed (byte* text = bytes)
            Check(
                ComponentNative.wasmtime_component_linker_instance_add_resource(instance, text, (nuint)bytes.Length, native, &Drop, 0, 0)
            );
        ComponentNative.wasmtime_component_resource_type_delete(native);
    }

    private static void AddFunction(nint instance, string name, ComponentHostFunction method)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        var data = GCHandle.ToIntPtr(GCHandle.Alloc(method));
        fixed (byte* text = bytes)
            Check(ComponentNative.wasmtime_component_linker_instance_add_func(instance, text, (nuint)bytes.Length, &Call, data, 0));
    }

    /// <summary>
    /// Receives every call of a component to its host. No exception may leave it, because the frames below are native: an exception ends
    /// the guest by an error, and is thrown again after those frames are gone (<see cref="Store"/>).
    /// </summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Call(
        nint data,
        nint context,
        nint type,
        ComponentValue* arguments,
        nuint argumentCount,
        ComponentValue* results,
        nuint resultCount
    )
    {
        try
        {
            var instance =
                Store.Current as ComponentInstance
                ?? throw new InvalidOperationException("A component called the host while none was running.");
            try
            {
                var given = new ReadOnlySpan<ComponentValue>(arguments, (int)argumentCount);
                var returned = new Span<ComponentValue>(results, (int)resultCount);
                Unsafe.As<ComponentHostFunction>(GCHandle.FromIntPtr(data).Target!)(new ComponentCall(instance, given, returned));
                return 0;
            }
            catch (Exception e)
            {
                instance.Thrown = e;
            }
        }
        catch
        {
            // Reported by the error.
        }
        return Native.wasmtime_error_new("host");
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Drop(nint data, nint context, uint number)
    {
        try
        {
            if (Store.Current?.HostState is IComponentResources resources)
                resources.Drop(number);
            return 0;
        }
        catch (Exception e)
        {
            if (Store.Current is { } store)
                store.Thrown = e;
            return Native.wasmtime_error_new("host");
        }
    }

    private static void Check(nint error)
    {
        if (error != 0)
            throw new InvalidOperationException(Native.TakeError(error));
    }
}
