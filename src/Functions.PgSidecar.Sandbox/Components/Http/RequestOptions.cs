using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>
/// The timeouts of a request, in nanoseconds. They are kept but not used: the sidecar has timeouts of its own for requests of functions.
/// </summary>
internal sealed class RequestOptions
{
    private ulong? connect;
    private ulong? firstByte;
    private ulong? betweenBytes;

    [ComponentFunction(FieldsFunctions.Types, "[constructor]request-options")]
    public static void New(in ComponentCall call) =>
        call.Return(ComponentProcess.Of(call).New(call, WasiResource.RequestOptions, new RequestOptions()));

    [ComponentFunction(FieldsFunctions.Types, "[method]request-options.connect-timeout")]
    public static void GetConnect(in ComponentCall call) => Get(call, Borrowed(call).connect);

    [ComponentFunction(FieldsFunctions.Types, "[method]request-options.set-connect-timeout")]
    public static void SetConnect(in ComponentCall call) => Set(call, ref Borrowed(call).connect);

    [ComponentFunction(FieldsFunctions.Types, "[method]request-options.first-byte-timeout")]
    public static void GetFirstByte(in ComponentCall call) => Get(call, Borrowed(call).firstByte);

    [ComponentFunction(FieldsFunctions.Types, "[method]request-options.set-first-byte-timeout")]
    public static void SetFirstByte(in ComponentCall call) => Set(call, ref Borrowed(call).firstByte);

    [ComponentFunction(FieldsFunctions.Types, "[method]request-options.between-bytes-timeout")]
    public static void GetBetweenBytes(in ComponentCall call) => Get(call, Borrowed(call).betweenBytes);

    [ComponentFunction(FieldsFunctions.Types, "[method]request-options.set-between-bytes-timeout")]
    public static void SetBetweenBytes(in ComponentCall call) => Set(call, ref Borrowed(call).betweenBytes);

    private static void Get(in ComponentCall call, ulong? timeout) =>
        call.Return(timeout is { } nanoseconds ? Values.Some(Values.U64(nanoseconds)) : Values.None);

    private static void Set(in ComponentCall call, ref ulong? timeout)
    {
        timeout = null;
        if (ComponentCall.Inner(call.Argument(1, ComponentKind.Option)) is { } given)
        {
            ComponentCall.Require(given, ComponentKind.U64);
            timeout = given.U64;
        }
        call.Return(Values.Ok());
    }

    private static RequestOptions Borrowed(in ComponentCall call) => ComponentProcess.Of(call).Borrowed<RequestOptions>(call, 0);
}
