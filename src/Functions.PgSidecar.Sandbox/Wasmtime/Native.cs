using System.Runtime.InteropServices;
using System.Text;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// Wasmtime's C API. The NuGet package's own binding can't set a host memory creator, prepare instances (<c>instance_pre</c>) or register a
/// callback for the end of an epoch. It does not expose the pointers of its engines, modules and stores either, so it can't be combined
/// with direct calls. Therefore the package supplies the native library, and this file calls it.
/// </summary>
internal static unsafe partial class Native
{
    /// <summary>The package's version for which <c>NativeTypes.cs</c> was written.</summary>
    public const string Version = "50.0.1";

    private const string Library = "wasmtime";

    [LibraryImport(Library)]
    public static partial nint wasm_config_new();

    [LibraryImport(Library)]
    public static partial void wasmtime_config_epoch_interruption_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_consume_fuel_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_max_wasm_stack_set(nint config, nuint bytes);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_async_stack_size_set(nint config, ulong bytes);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_memory_init_cow_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_memory_reservation_set(nint config, ulong bytes);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_memory_guard_size_set(nint config, ulong bytes);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_memory_may_move_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_concurrency_support_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_shared_memory_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_threads_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_relaxed_simd_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_stack_switching_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_wide_arithmetic_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_custom_page_sizes_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_compact_imports_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_function_references_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_gc_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_gc_support_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_exceptions_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_tail_call_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_memory64_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_wasm_multi_memory_set(nint config, [MarshalAs(UnmanagedType.U1)] bool value);

    [LibraryImport(Library)]
    public static partial void wasmtime_config_host_memory_creator_set(nint config, NativeMemoryCreator* creator);

    [LibraryImport(Library)]
    public static partial nint wasm_engine_new_with_config(nint config);

    [LibraryImport(Library)]
    public static partial void wasm_engine_delete(nint engine);

    [LibraryImport(Library)]
    public static partial void wasmtime_engine_increment_epoch(nint engine);

    [LibraryImport(Library)]
    public static partial nint wasmtime_module_validate(nint engine, byte* wasm, nuint length);

    [LibraryImport(Library)]
    public static partial nint wasmtime_module_new(nint engine, byte* wasm, nuint length, out nint module);

    [LibraryImport(Library)]
    public static partial nint wasmtime_module_serialize(nint module, out ByteVector bytes);

    [LibraryImport(Library)]
    public static partial nint wasmtime_module_deserialize(nint engine, byte* bytes, nuint length, out nint module);

    [LibraryImport(Library)]
    public static partial void wasmtime_module_delete(nint module);

    [LibraryImport(Library)]
    public static partial nint wasmtime_linker_new(nint engine);

    [LibraryImport(Library)]
    public static partial void wasmtime_linker_delete(nint linker);

    [LibraryImport(Library)]
    public static partial nint wasmtime_linker_define_func_unchecked(
        nint linker,
        byte* module,
        nuint moduleLength,
        byte* name,
        nuint nameLength,
        nint type,
        delegate* unmanaged[Cdecl]<nint, nint, RawValue*, nuint, nint> callback,
        nint data,
        nint finalizer
    );

    [LibraryImport(Library)]
    public static partial nint wasmtime_linker_define_unknown_imports_as_traps(nint linker, nint module);

    [LibraryImport(Library)]
    public static partial nint wasmtime_linker_instantiate_pre(nint linker, nint module, out nint prepared);

    [LibraryImport(Library)]
    public static partial void wasmtime_instance_pre_delete(nint prepared);

    [LibraryImport(Library)]
    public static partial nint wasmtime_instance_pre_instantiate(nint prepared, nint context, out InstanceHandle instance, out nint trap);

    [LibraryImport(Library)]
    public static partial nint wasm_valtype_new(byte kind);

    [LibraryImport(Library)]
    public static partial void wasm_valtype_vec_new(ByteVector* vector, nuint length, nint* types);

    [LibraryImport(Library)]
    public static partial nint wasm_functype_new(ByteVector* parameters, ByteVector* results);

    [LibraryImport(Library)]
    public static partial void wasm_functype_delete(nint type);

    [LibraryImport(Library)]
    public static partial nint wasmtime_store_new(nint engine, nint data, nint finalizer);

    [LibraryImport(Library)]
    public static partial void wasmtime_store_delete(nint store);

    [LibraryImport(Library)]
    public static partial nint wasmtime_store_context(nint store);

    [LibraryImport(Library)]
    public static partial void wasmtime_store_limiter(
        nint store,
        long memoryBytes,
        long tableElements,
        long instances,
        long tables,
        long memories
    );

    [LibraryImport(Library)]
    public static partial void wasmtime_store_epoch_deadline_callback(
        nint store,
        delegate* unmanaged[Cdecl]<nint, nint, ulong*, byte*, nint> callback,
        nint data,
        nint finalizer
    );

    [LibraryImport(Library)]
    public static partial void wasmtime_context_set_epoch_deadline(nint context, ulong ticks);

    [LibraryImport(Library)]
    public static partial nint wasmtime_context_set_fuel(nint context, ulong fuel);

    [LibraryImport(Library)]
    public static partial nint wasmtime_context_get_fuel(nint context, out ulong fuel);

    [LibraryImport(Library)]
    [return: MarshalAs(UnmanagedType.U1)]
    public static partial bool wasmtime_instance_export_get(
        nint context,
        in InstanceHandle instance,
        byte* name,
        nuint length,
        out Extern export
    );

    [LibraryImport(Library)]
    public static partial nint wasmtime_func_call_unchecked(
        nint context,
        in FunctionHandle function,
        RawValue* values,
        nuint count,
        out nint trap
    );

    [LibraryImport(Library)]
    public static partial void wasmtime_global_get(nint context, in GlobalHandle global, out Value value);

    [LibraryImport(Library)]
    public static partial nint wasmtime_global_set(nint context, in GlobalHandle global, in Value value);

    [LibraryImport(Library)]
    public static partial byte* wasmtime_memory_data(nint context, in ObjectHandle memory);

    [LibraryImport(Library)]
    public static partial ulong wasmtime_table_size(nint context, in ObjectHandle table);

    [LibraryImport(Library)]
    [return: MarshalAs(UnmanagedType.U1)]
    public static partial bool wasmtime_table_get(nint context, in ObjectHandle table, ulong index, out Value value);

    [LibraryImport(Library)]
    public static partial nint wasmtime_error_new([MarshalAs(UnmanagedType.LPUTF8Str)] string message);

    [LibraryImport(Library)]
    public static partial nint wasmtime_trap_new(byte* message, nuint length);

    [LibraryImport(Library)]
    [return: MarshalAs(UnmanagedType.U1)]
    public static partial bool wasmtime_trap_code(nint trap, out TrapCode code);

    [LibraryImport(Library)]
    private static partial void wasmtime_error_message(nint error, ByteVector* message);

    [LibraryImport(Library)]
    private static partial void wasmtime_error_delete(nint error);

    [LibraryImport(Library)]
    private static partial void wasm_trap_message(nint trap, ByteVector* message);

    [LibraryImport(Library)]
    private static partial void wasm_trap_delete(nint trap);

    [LibraryImport(Library)]
    private static partial void wasm_byte_vec_delete(ByteVector* vector);

    /// <summary>Reads the message of an error and frees the error.</summary>
    public static string TakeError(nint error)
    {
        ByteVector message;
        wasmtime_error_message(error, &message);
        wasmtime_error_delete(error);
        return TakeText(message);
    }

    /// <summary>Reads the message of a trap and frees the trap.</summary>
    public static string TakeTrap(nint trap)
    {
        ByteVector message;
        wasm_trap_message(trap, &message);
        wasm_trap_delete(trap);
        return TakeText(message);
    }

    /// <summary>Reads the bytes of a vector and frees the vector.</summary>
    public static byte[] TakeBytes(ByteVector vector)
    {
        var bytes = new ReadOnlySpan<byte>((void*)vector.Data, checked((int)vector.Size)).ToArray();
        wasm_byte_vec_delete(&vector);
        return bytes;
    }

    private static string TakeText(ByteVector vector) => Encoding.UTF8.GetString(TakeBytes(vector)).TrimEnd('\0');
}
