using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Benchmarks.Engine;

/// <summary>The bare JavaScript engine, without the sidecar's own world: evaluates scripts.</summary>
internal sealed unsafe class QuickJsGuest
{
    private const int StackLimitBytes = 512 * 1024;

    private readonly delegate*<int, int, int, int, nint, int> evaluate;
    private readonly delegate*<int, nint, int> isException;
    private readonly delegate*<nint, int> getException;
    private readonly delegate*<int, nint, int> getString;
    private readonly delegate*<int, nint, void> freeString;
    private readonly delegate*<int, nint, void> freeValue;
    private readonly delegate*<int, nint, int> allocate;
    private readonly delegate*<int, nint, void> free;

    public QuickJsGuest(CompiledImage image)
    {
        Image = image;
        evaluate = (delegate*<int, int, int, int, nint, int>)image.Function("qjs_eval");
        isException = (delegate*<int, nint, int>)image.Function("qjs_is_exception");
        getException = (delegate*<nint, int>)image.Function("qjs_get_exception");
        getString = (delegate*<int, nint, int>)image.Function("qjs_get_string");
        freeString = (delegate*<int, nint, void>)image.Function("qjs_free_cstring");
        freeValue = (delegate*<int, nint, void>)image.Function("qjs_free_value");
        allocate = (delegate*<int, nint, int>)image.Function("wasm_malloc");
        free = (delegate*<int, nint, void>)image.Function("wasm_free");
    }

    public CompiledImage Image { get; }

    public WasmInstance Start(int memoryLimitPages)
    {
        var instance = Image.Start(HostFunctions.From(typeof(HostStubs)), memoryLimitPages);
        if (((delegate*<nint, int>)Image.Function("qjs_init"))(instance.Context) != 0)
            throw new InvalidOperationException("QuickJS did not start.");
        ((delegate*<int, nint, void>)Image.Function("qjs_set_max_stack_size"))(StackLimitBytes, instance.Context);
        instance.InitializeSideModules(
            ((delegate*<nint, int>)Image.Function("qjs_get_context_ptr"))(instance.Context),
            ((delegate*<nint, int>)Image.Function("qjs_get_runtime_ptr"))(instance.Context));
        return instance;
    }

    /// <summary>Evaluates a script; its result as a string.</summary>
    public string Evaluate(WasmInstance instance, string script)
    {
        var context = instance.Context;
        var (source, length) = Write(instance, script);
        var (name, _) = Write(instance, "benchmark.js");
        var value = evaluate(source, length, name, 0, context);
        var failed = isException(value, context) != 0;
        if (failed)
            value = getException(context);
        var text = getString(value, context);
        var result = Marshal.PtrToStringUTF8((nint)(instance.MemoryBase + (uint)text))!;
        freeString(text, context);
        freeValue(value, context);
        free(source, context);
        free(name, context);
        return failed ? throw new InvalidOperationException(result) : result;
    }

    private (int Address, int Length) Write(WasmInstance instance, string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        var address = allocate(length + 1, instance.Context);
        var bytes = instance.Slice(address, length + 1);
        Encoding.UTF8.GetBytes(text, bytes);
        bytes[length] = 0;
        return (address, length);
    }

    /// <summary>The least that QuickJS needs of a host.</summary>
    private static class HostStubs
    {
        private const string Wasi = "wasi_snapshot_preview1";
        private const int BadFile = 8;

        [HostFunction("env", "host_get_timezone_offset")]
        [HostFunction("env", "host_module_normalize")]
        [HostFunction("env", "host_module_load")]
        private static int Two(int first, int second, nint context) => 0;

        [HostFunction("env", "host_interrupt")]
        private static int Interrupt(nint context) => 0;

        [HostFunction("env", "host_promise_rejection")]
        private static void Rejection(int promise, int reason, int handled, nint context)
        {
        }

        [HostFunction("env", "host_call")]
        private static int Call(int name, int length, int target, int arguments, int count, nint context) => 0;

        [HostFunction(Wasi, "clock_time_get")]
        private static int Clock(int clock, long precision, int result, nint context)
        {
            BitConverter.TryWriteBytes(WasmInstance.FromContext(context).Slice(result, sizeof(long)), TimeProvider.System.GetTimestamp());
            return 0;
        }

        [HostFunction(Wasi, "random_get")]
        private static int Random(int buffer, int length, nint context)
        {
            RandomNumberGenerator.Fill(WasmInstance.FromContext(context).Slice(buffer, length));
            return 0;
        }

        [HostFunction(Wasi, "fd_close")]
        private static int Close(int file, nint context) => BadFile;

        [HostFunction(Wasi, "fd_fdstat_get")]
        private static int Status(int file, int result, nint context) => BadFile;

        [HostFunction(Wasi, "fd_seek")]
        private static int Seek(int file, long offset, int whence, int result, nint context) => BadFile;

        [HostFunction(Wasi, "fd_write")]
        private static int Write(int file, int vectors, int count, int result, nint context) => BadFile;
    }
}
