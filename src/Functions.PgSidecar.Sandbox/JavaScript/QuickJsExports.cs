using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// The functions of quickjs.wasm that the host calls, looked up at their first call. Names are those of the module without <c>qjs_</c>.
/// </summary>
/// <remarks>A "value" is the address of a boxed JSValue in the guest's memory; the receiver frees it.</remarks>
internal sealed class QuickJsExports(Instance instance)
{
    private static readonly string[] Names =
    [
        "qjs_init",
        "qjs_set_max_stack_size",
        "qjs_set_promise_rejection_handler",
        "qjs_run_gc",
        "qjs_get_context_ptr",
        "qjs_get_runtime_ptr",
        "wasm_malloc",
        "wasm_free",
        "qjs_eval",
        "qjs_call",
        "qjs_new_string",
        "qjs_new_number",
        "qjs_new_uint8_array",
        "qjs_new_host_function",
        "qjs_get_undefined",
        "qjs_get_global",
        "qjs_get_prop_string",
        "qjs_set_prop_string",
        "qjs_dup_value",
        "qjs_free_value",
        "qjs_is_exception",
        "qjs_is_undefined",
        "qjs_is_string",
        "qjs_is_promise",
        "qjs_get_exception",
        "qjs_get_float64",
        "qjs_get_string_len",
        "qjs_free_cstring",
        "qjs_get_typed_array_buffer",
        "qjs_get_array_buffer",
        "qjs_promise_state",
        "qjs_promise_result",
        "qjs_is_job_pending",
        "qjs_execute_pending_job",
    ];

    private readonly FunctionHandle[] found = new FunctionHandle[Names.Length];

    public int Init() => Invoke(0).I32;

    public void SetMaxStackSize(int first) => Invoke(1, first);

    public void SetPromiseRejectionHandler(int first) => Invoke(2, first);

    public void RunGc() => Invoke(3);

    public int GetContext() => Invoke(4).I32;

    public int GetRuntime() => Invoke(5).I32;

    public int Malloc(int first) => Invoke(6, first).I32;

    public void Free(int first) => Invoke(7, first);

    /// <summary>(code, length, file name, flags) -> value.</summary>
    public int Eval(int first, int second, int third, int fourth) => Invoke(8, first, second, third, fourth).I32;

    /// <summary>(function, this, argument count, address of argument values) -> value.</summary>
    public int Call(int first, int second, int third, int fourth) => Invoke(9, first, second, third, fourth).I32;

    public int NewString(int first, int second) => Invoke(10, first, second).I32;

    public int NewNumber(double first) => Invoke(11, BitConverter.DoubleToInt64Bits(first)).I32;

    public int NewBytes(int first, int second) => Invoke(12, first, second).I32;

    public int NewHostFunction(int first, int second, int third) => Invoke(13, first, second, third).I32;

    public int GetUndefined() => Invoke(14).I32;

    public int GetGlobal() => Invoke(15).I32;

    public int GetProperty(int first, int second) => Invoke(16, first, second).I32;

    public int SetProperty(int first, int second, int third) => Invoke(17, first, second, third).I32;

    public int DupValue(int first) => Invoke(18, first).I32;

    public void FreeValue(int first) => Invoke(19, first);

    public int IsException(int first) => Invoke(20, first).I32;

    public int IsUndefined(int first) => Invoke(21, first).I32;

    public int IsString(int first) => Invoke(22, first).I32;

    public int IsPromise(int first) => Invoke(23, first).I32;

    public int GetException() => Invoke(24).I32;

    public double GetNumber(int first) => Invoke(25, first).F64;

    /// <summary>(value, address of a length) -> address of UTF-8, to be freed with <see cref="FreeString"/>.</summary>
    public int GetString(int first, int second) => Invoke(26, first, second).I32;

    public void FreeString(int first) => Invoke(27, first);

    /// <summary>(value, address of offset, of length, of element size) -> value of the ArrayBuffer.</summary>
    public int GetTypedArrayBuffer(int first, int second, int third, int fourth) => Invoke(28, first, second, third, fourth).I32;

    /// <summary>(value, address of a length) -> address of the bytes; 0 if the value is no ArrayBuffer.</summary>
    public int GetArrayBuffer(int first, int second) => Invoke(29, first, second).I32;

    /// <summary>0 pending, 1 fulfilled, 2 rejected.</summary>
    public int PromiseState(int first) => Invoke(30, first).I32;

    public int PromiseResult(int first) => Invoke(31, first).I32;

    public int IsJobPending() => Invoke(32).I32;

    /// <summary>Negative if the job threw.</summary>
    public int ExecutePendingJob() => Invoke(33).I32;

    /// <summary>Initialises an extension.</summary>
    public int InitializeExtension(string name, int context, int runtime)
    {
        Span<RawValue> values = [new() { I64 = (uint)context }, new() { I64 = (uint)runtime }];
        instance.Call(instance.Function($"qjs_ext_{name.Replace('-', '_')}_init"), values);
        return values[0].I32;
    }

    /// <summary>Calls a function; integers are passed as they are, a number in their place by its bits.</summary>
    private RawValue Invoke(int function, long first = 0, long second = 0, long third = 0, long fourth = 0)
    {
        ref var handle = ref found[function];
        if (handle.Function == 0)
            handle = instance.Function(Names[function]);
        Span<RawValue> values = [new() { I64 = first }, new() { I64 = second }, new() { I64 = third }, new() { I64 = fourth }];
        instance.Call(handle, values);
        return values[0];
    }
}
