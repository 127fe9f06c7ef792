using System.Text.Json;
using Functions.PgSidecar.Sandbox.JavaScript.Cryptography;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// The imports of the JavaScript engine: one function for all calls of the prelude, and the few functions of WASI that the engine needs.
/// </summary>
internal static class HostCalls
{
    private const int ErrnoSuccess = 0;
    private const int ErrnoBadFileDescriptor = 8;
    private const int ErrnoInvalid = 28;
    private const int ErrnoNotSupported = 52;
    private const int ClockRealtime = 0;
    private const int ClockMonotonic = 1;

    /// <summary>The longest name of an operation, in characters; longer ones are cut.</summary>
    private const int MaxNameLength = 64;

    /// <summary>
    /// The most bytes that are read of a log line. The log keeps far fewer; the rest is read so that secrets are redacted before the line
    /// is cut.
    /// </summary>
    private const int MaxLogBytes = 256 * 1024;

    private enum Op
    {
        Start = 1,
        Cancel = 2,
        Respond = 3,
        Fail = 4,
        Done = 5,
        Log = 6,
        Now = 7,
        Compute = 8,
        RespondStreaming = 9,
    }

    /// <summary><c>__pgfn_host(op, ...)</c>: see docs/javascript.md, "The protocol".</summary>
    [HostFunction("env", "host_call")]
    public static int HostCall(int name, int nameLength, int thisValue, int count, int vector, Instance instance)
    {
        var guest = Guest(instance);
        if (guest.Calls is not { } calls || count < 1)
            return guest.NewUndefined();
        var op = (Op)(int)guest.GetNumber(guest.Argument(vector, 0));
        int Argument(int index) => index < count ? guest.Argument(vector, index) : guest.Handles.Undefined;
        switch (op)
        {
            case Op.Start:
                calls.OnStart(
                    (int)guest.GetNumber(Argument(1)),
                    Shorten(guest.GetText(Argument(2))),
                    guest.GetUtf8(Argument(3)),
                    guest.GetBody(Argument(4))
                );
                break;
            case Op.Cancel:
                calls.OnCancel((int)guest.GetNumber(Argument(1)));
                break;
            case Op.Respond:
                calls.OnRespond(guest.GetUtf8(Argument(1)), guest.GetBody(Argument(2)), bodyFollows: false);
                break;
            case Op.RespondStreaming:
                calls.OnRespond(guest.GetUtf8(Argument(1)), default, bodyFollows: true);
                break;
            case Op.Fail:
                calls.OnFail(ReadError(guest.GetUtf8(Argument(1))));
                break;
            case Op.Done:
                var failure = guest.GetUtf8(Argument(1));
                calls.OnDone(failure.Length == 0 ? null : ReadError(failure));
                break;
            case Op.Log:
                calls.OnLog(Level(guest.GetText(Argument(1))), guest.GetText(Argument(2), MaxLogBytes));
                break;
            case Op.Now:
                return guest.NewNumber(calls.ElapsedMilliseconds);
            case Op.Compute:
                return Compute(guest, Shorten(guest.GetText(Argument(1))), guest.GetUtf8(Argument(2)), guest.GetBody(Argument(3)));
        }
        return guest.NewUndefined();
    }

    /// <summary>Returns the result's bytes, or on failure the error's JSON as a string.</summary>
    private static int Compute(QuickJs guest, string name, byte[] arguments, byte[] payload)
    {
        try
        {
            return guest.NewArray(GuestCrypto.ComputeLight(name, arguments, payload));
        }
        catch (CryptoException e)
        {
            return guest.NewString(GuestError.ToJson(e.Name, e.Message, null).Span);
        }
    }

    /// <summary>Tracks a promise that was rejected without a handler, or got its handler late.</summary>
    [HostFunction("env", "host_promise_rejection")]
    public static void PromiseRejection(int promise, int reason, int handled, Instance instance) =>
        Guest(instance).TrackRejection(promise, reason, handled != 0);

    /// <summary>The time zone of guests is UTC.</summary>
    [HostFunction("env", "host_get_timezone_offset")]
    public static int TimezoneOffset(int high, int low, Instance instance) => 0;

    /// <summary>Never called: the engine's loops check for interrupts themselves.</summary>
    [HostFunction("env", "host_interrupt")]
    public static int Interrupt(Instance instance) => 0;

    /// <summary>Never called: the module loader is off, because imports are bundled before deploy.</summary>
    [HostFunction("env", "host_module_normalize")]
    public static int ModuleNormalize(int baseName, int name, Instance instance) => 0;

    /// <summary>Never called, like <see cref="ModuleNormalize"/>.</summary>
    [HostFunction("env", "host_module_load")]
    public static int ModuleLoad(int name, int length, Instance instance) => 0;

    [HostFunction("wasi_snapshot_preview1", "clock_time_get")]
    public static int ClockTimeGet(int clock, long precision, int result, Instance instance)
    {
        long nanoseconds;
        switch (clock)
        {
            case ClockRealtime:
                nanoseconds = (TimeProvider.System.GetUtcNow().UtcTicks - DateTimeOffset.UnixEpoch.Ticks) * 100;
                break;
            case ClockMonotonic:
                nanoseconds = (long)(TimeProvider.System.GetTimestamp() * (1e9 / TimeProvider.System.TimestampFrequency));
                break;
            default:
                return ErrnoInvalid;
        }
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(instance.Slice(result, sizeof(long)), GuestClock.Coarse(nanoseconds));
        Report(VolatileValue.Time, instance);
        return ErrnoSuccess;
    }

    [HostFunction("wasi_snapshot_preview1", "random_get")]
    public static int RandomGet(int buffer, int length, Instance instance)
    {
        System.Security.Cryptography.RandomNumberGenerator.Fill(instance.Slice(buffer, length));
        Report(VolatileValue.RandomBytes, instance);
        return ErrnoSuccess;
    }

    [HostFunction("wasi_snapshot_preview1", "fd_write")]
    public static int FdWrite(int descriptor, int vectors, int count, int written, Instance instance) => ErrnoBadFileDescriptor;

    [HostFunction("wasi_snapshot_preview1", "fd_close")]
    public static int FdClose(int descriptor, Instance instance) => ErrnoNotSupported;

    [HostFunction("wasi_snapshot_preview1", "fd_fdstat_get")]
    public static int FdStatGet(int descriptor, int result, Instance instance) => ErrnoBadFileDescriptor;

    [HostFunction("wasi_snapshot_preview1", "fd_seek")]
    public static int FdSeek(int descriptor, long offset, int whence, int result, Instance instance) => ErrnoNotSupported;

    /// <summary>Reports a volatile value. While the engine itself starts, there is no guest yet.</summary>
    private static void Report(VolatileValue value, Instance instance) => (instance.HostState as QuickJs)?.Calls?.OnVolatile(value);

    private static QuickJs Guest(Instance instance) => (QuickJs)instance.HostState!;

    private static string Shorten(string name) => name.Length <= MaxNameLength ? name : name[..MaxNameLength];

    private static GuestLogLevel Level(string name) =>
        name switch
        {
            "debug" => GuestLogLevel.Debug,
            "warn" => GuestLogLevel.Warn,
            "error" => GuestLogLevel.Error,
            _ => GuestLogLevel.Info,
        };

    private static GuestError ReadError(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            return new GuestError(Text(root, "name") ?? "Error", Text(root, "message") ?? "", Text(root, "stack"), Text(root, "code"))
            {
                IsFinal = root.TryGetProperty("noRetry", out var final) && final.ValueKind == JsonValueKind.True,
                Messages = root.TryGetProperty("messages"u8, out var messages) ? messages.GetRawText() : null,
            };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return new GuestError("Error", "The function failed with an error that can't be read.");
        }
    }

    private static string? Text(JsonElement error, string member) =>
        error.TryGetProperty(member, out var value) && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined)
            ? value.ToString()
            : null;
}
