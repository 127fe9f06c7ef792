using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>The part of Wasmtime's C API for components, of <see cref="Native.Version"/>; <see cref="Native"/> has the rest.</summary>
internal static unsafe partial class ComponentNative
{
    private const string Library = "wasmtime";

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_component_model_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_component_model_async_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_component_model_async_stackful_set(
        nint config,
        [MarshalAs(UnmanagedType.U1)] bool value
    );

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_component_model_more_async_builtins_set(
        nint config,
        [MarshalAs(UnmanagedType.U1)] bool value
    );

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_component_model_map_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_new(nint engine, byte* bytes, nuint length, out nint component);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_serialize(nint component, out ByteVector bytes);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_deserialize(nint engine, byte* bytes, nuint length, out nint component);

    [LibraryImport(Library)]
    public static partial void wasmtime_component_delete(nint component);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_get_export_index(nint component, nint instance, byte* name, nuint length);

    [LibraryImport(Library)]
    public static partial void wasmtime_component_export_index_delete(nint index);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_type(nint component);

    [LibraryImport(Library)]
    public static partial void wasmtime_component_type_delete(nint type);

    [LibraryImport(Library)]
    public static partial nuint wasmtime_component_type_export_count(nint type, nint engine);

    [LibraryImport(Library)]
    [return: MarshalAs(UnmanagedType.U1)]
    public static partial bool wasmtime_component_type_export_nth(
        nint type,
        nint engine,
        nuint index,
        out byte* name,
        out nuint length,
        out nint external
    );

    [LibraryImport(Library)]
    public static partial void wasmtime_component_extern_delete(nint external);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_linker_new(nint engine);

    [LibraryImport(Library)]
    public static partial void wasmtime_component_linker_delete(nint linker);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_linker_root(nint linker);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_linker_instantiate(
        nint linker,
        nint context,
        nint component,
        out ComponentInstanceHandle instance
    );

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_linker_instance_add_instance(nint parent, byte* name, nuint length, out nint instance);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_linker_instance_add_func(
        nint instance,
        byte* name,
        nuint length,
        delegate* unmanaged[Cdecl]<nint, nint, nint, ComponentValue*, nuint, ComponentValue*, nuint, nint> callback,
        nint data,
        nint finalizer
    );

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_linker_instance_add_resource(
        nint instance,
        byte* name,
        nuint length,
        nint type,
        delegate* unmanaged[Cdecl]<nint, nint, uint, nint> destructor,
        nint data,
        nint finalizer
    );

    [LibraryImport(Library)]
    public static partial void wasmtime_component_linker_instance_delete(nint instance);

    [LibraryImport(Library)]
    [return: MarshalAs(UnmanagedType.U1)]
    public static partial bool wasmtime_component_instance_get_func(
        in ComponentInstanceHandle instance,
        nint context,
        nint export,
        out ComponentFunctionHandle function
    );

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_func_call(
        in ComponentFunctionHandle function,
        nint context,
        ComponentValue* arguments,
        nuint argumentCount,
        ComponentValue* results,
        nuint resultCount
    );

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_resource_type_new_host(uint type);

    [LibraryImport(Library)]
    public static partial void wasmtime_component_resource_type_delete(nint type);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_resource_host_new([MarshalAs(UnmanagedType.U1)] bool isOwned, uint number, uint type);

    [LibraryImport(Library)]
    public static partial void wasmtime_component_resource_host_delete(nint resource);

    [LibraryImport(Library)]
    public static partial uint wasmtime_component_resource_host_rep(nint resource);

    [LibraryImport(Library)]
    public static partial uint wasmtime_component_resource_host_type(nint resource);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_resource_host_to_any(nint context, nint host, out nint any);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_resource_any_to_host(nint context, nint any, out nint host);

    [LibraryImport(Library)]
    public static partial nint wasmtime_component_val_new(ComponentValue* value);

    [LibraryImport(Library)]
    public static partial void wasmtime_component_val_delete(ComponentValue* value);

    [LibraryImport(Library)]
    public static partial void wasmtime_component_vallist_new_uninit(out ByteVector list, nuint size);

    [LibraryImport(Library)]
    public static partial void wasmtime_component_valtuple_new_uninit(out ByteVector tuple, nuint size);

    [LibraryImport(Library)]
    public static partial void wasmtime_component_valrecord_new_uninit(out ByteVector record, nuint size);

    [LibraryImport(Library)]
    public static partial void wasm_byte_vec_new(out ByteVector vector, nuint size, byte* bytes);
}
