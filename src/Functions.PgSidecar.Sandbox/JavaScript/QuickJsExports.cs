using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>The functions of quickjs.wasm that the host calls, resolved once an image. Names are the module's own, without <c>qjs_</c>.</summary>
/// <remarks>A "value" is the address of a boxed JSValue in the guest's memory; whoever gets one frees it.</remarks>
internal sealed unsafe class QuickJsExports
{
    public QuickJsExports(CompiledImage image)
    {
        Init = (delegate*<nint, int>)image.Function("qjs_init");
        SetMaxStackSize = (delegate*<int, nint, void>)image.Function("qjs_set_max_stack_size");
        SetPromiseRejectionHandler = (delegate*<int, nint, void>)image.Function("qjs_set_promise_rejection_handler");
        RunGc = (delegate*<nint, void>)image.Function("qjs_run_gc");
        GetContext = (delegate*<nint, int>)image.Function("qjs_get_context_ptr");
        GetRuntime = (delegate*<nint, int>)image.Function("qjs_get_runtime_ptr");
        Malloc = (delegate*<int, nint, int>)image.Function("wasm_malloc");
        Free = (delegate*<int, nint, void>)image.Function("wasm_free");
        Eval = (delegate*<int, int, int, int, nint, int>)image.Function("qjs_eval");
        Call = (delegate*<int, int, int, int, nint, int>)image.Function("qjs_call");
        NewString = (delegate*<int, int, nint, int>)image.Function("qjs_new_string");
        NewNumber = (delegate*<double, nint, int>)image.Function("qjs_new_number");
        NewBytes = (delegate*<int, int, nint, int>)image.Function("qjs_new_uint8_array");
        NewHostFunction = (delegate*<int, int, int, nint, int>)image.Function("qjs_new_host_function");
        GetUndefined = (delegate*<nint, int>)image.Function("qjs_get_undefined");
        GetGlobal = (delegate*<nint, int>)image.Function("qjs_get_global");
        GetProperty = (delegate*<int, int, nint, int>)image.Function("qjs_get_prop_string");
        SetProperty = (delegate*<int, int, int, nint, int>)image.Function("qjs_set_prop_string");
        DupValue = (delegate*<int, nint, int>)image.Function("qjs_dup_value");
        FreeValue = (delegate*<int, nint, void>)image.Function("qjs_free_value");
        IsException = (delegate*<int, nint, int>)image.Function("qjs_is_exception");
        IsUndefined = (delegate*<int, nint, int>)image.Function("qjs_is_undefined");
        IsString = (delegate*<int, nint, int>)image.Function("qjs_is_string");
        IsPromise = (delegate*<int, nint, int>)image.Function("qjs_is_promise");
        GetException = (delegate*<nint, int>)image.Function("qjs_get_exception");
        GetNumber = (delegate*<int, nint, double>)image.Function("qjs_get_float64");
        GetString = (delegate*<int, int, nint, int>)image.Function("qjs_get_string_len");
        FreeString = (delegate*<int, nint, void>)image.Function("qjs_free_cstring");
        GetTypedArrayBuffer = (delegate*<int, int, int, int, nint, int>)image.Function("qjs_get_typed_array_buffer");
        GetArrayBuffer = (delegate*<int, int, nint, int>)image.Function("qjs_get_array_buffer");
        PromiseState = (delegate*<int, nint, int>)image.Function("qjs_promise_state");
        PromiseResult = (delegate*<int, nint, int>)image.Function("qjs_promise_result");
        IsJobPending = (delegate*<nint, int>)image.Function("qjs_is_job_pending");
        ExecutePendingJob = (delegate*<nint, int>)image.Function("qjs_execute_pending_job");
    }

    public delegate*<nint, int> Init { get; }
    public delegate*<int, nint, void> SetMaxStackSize { get; }
    public delegate*<int, nint, void> SetPromiseRejectionHandler { get; }
    public delegate*<nint, void> RunGc { get; }
    public delegate*<nint, int> GetContext { get; }
    public delegate*<nint, int> GetRuntime { get; }
    public delegate*<int, nint, int> Malloc { get; }
    public delegate*<int, nint, void> Free { get; }

    /// <summary>(code, length, file name, flags) -> value.</summary>
    public delegate*<int, int, int, int, nint, int> Eval { get; }

    /// <summary>(function, this, argument count, address of argument values) -> value.</summary>
    public delegate*<int, int, int, int, nint, int> Call { get; }

    public delegate*<int, int, nint, int> NewString { get; }
    public delegate*<double, nint, int> NewNumber { get; }
    public delegate*<int, int, nint, int> NewBytes { get; }
    public delegate*<int, int, int, nint, int> NewHostFunction { get; }
    public delegate*<nint, int> GetUndefined { get; }
    public delegate*<nint, int> GetGlobal { get; }
    public delegate*<int, int, nint, int> GetProperty { get; }
    public delegate*<int, int, int, nint, int> SetProperty { get; }
    public delegate*<int, nint, int> DupValue { get; }
    public delegate*<int, nint, void> FreeValue { get; }
    public delegate*<int, nint, int> IsException { get; }
    public delegate*<int, nint, int> IsUndefined { get; }
    public delegate*<int, nint, int> IsString { get; }

    public delegate*<int, nint, int> IsPromise { get; }
    public delegate*<nint, int> GetException { get; }
    public delegate*<int, nint, double> GetNumber { get; }

    /// <summary>(value, address of a length) -> address of UTF-8, to be freed with <see cref="FreeString"/>.</summary>
    public delegate*<int, int, nint, int> GetString { get; }

    public delegate*<int, nint, void> FreeString { get; }

    /// <summary>(value, address of offset, of length, of element size) -> value of the ArrayBuffer.</summary>
    public delegate*<int, int, int, int, nint, int> GetTypedArrayBuffer { get; }

    /// <summary>(value, address of a length) -> address of the bytes, 0 where the value is no ArrayBuffer.</summary>
    public delegate*<int, int, nint, int> GetArrayBuffer { get; }

    /// <summary>0 pending, 1 fulfilled, 2 rejected.</summary>
    public delegate*<int, nint, int> PromiseState { get; }

    public delegate*<int, nint, int> PromiseResult { get; }
    public delegate*<nint, int> IsJobPending { get; }

    /// <summary>Negative when the job threw.</summary>
    public delegate*<nint, int> ExecutePendingJob { get; }
}
