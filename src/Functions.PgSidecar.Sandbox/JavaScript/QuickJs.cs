using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// An instance of the JavaScript engine: calls its functions and copies strings and bytes in and out. The guest may have forged everything
/// that is read from it, so it is bounds-checked and copied before use.
/// </summary>
internal sealed class QuickJs : IDisposable
{
    private const int PromisePending = 0;
    private const int PromiseRejected = 2;

    /// <summary>Larger than any hole, so that it lies behind all of them.</summary>
    private const int FreshBytes = 256 * 1024;

    private const int LargestHole = 8 * 1024;

    /// <summary>At most this much is filled: holes of a top level that has freed much memory remain for its runs.</summary>
    private const int MostFilled = 1 << 20;

    private const int HoleStep = 8;

    private static readonly GuestError NotDescribable = new("Error", "An error was thrown that can't be described: describing it throws.");

    private readonly QuickJsExports js;

    private bool isDescribing;

    public QuickJs(Instance instance, GuestHandles handles)
    {
        Instance = instance;
        js = new QuickJsExports(instance);
        Handles = handles;
    }

    /// <summary>The WebAssembly instance.</summary>
    public Instance Instance { get; }

    /// <summary>The engine's functions.</summary>
    public QuickJsExports Exports => js;

    /// <summary>Addresses in its memory. Set while the guest is prepared.</summary>
    public GuestHandles Handles { get; set; }

    /// <summary>Receives the guest's calls; <see langword="null"/> while nothing runs.</summary>
    public IGuestCalls? Calls { get; private set; }

    /// <summary>
    /// Fills the holes that loading has left in the guest's heap, permanently. A run then allocates side by side on a few new pages, not in
    /// holes on many pages, each of which would have to be copied on write.
    /// </summary>
    public void FillHoles()
    {
        var top = js.Malloc(FreshBytes);
        if (top == 0)
            return;
        var left = MostFilled;
        for (var size = LargestHole; size > 0 && left > 0; size -= HoleStep)
        {
            int address;
            for (address = js.Malloc(size); address != 0 && address < top && left > 0; address = js.Malloc(size))
                left -= size;
            // The last block is behind the holes.
            js.Free(address);
        }
        js.Free(top);
    }

    /// <summary>Makes the instance ready to run on the current thread.</summary>
    public void Begin(IGuestCalls calls)
    {
        Calls = calls;
        Instance.HostState = this;
    }

    /// <summary>Ends the turn: until the next one the guest has no receiver for calls.</summary>
    public void Suspend() => Calls = null;

    /// <summary>Seeds Math.random: the state in the snapshot is the same for every run.</summary>
    public void Reseed()
    {
        var state = Instance.Slice(Handles.RandomState, sizeof(ulong));
        do Entropy.Fill(state);
        while (BinaryPrimitives.ReadUInt64LittleEndian(state) == 0);
    }

    /// <summary>The state of Math.random; each call changes it.</summary>
    public ulong RandomState => BinaryPrimitives.ReadUInt64LittleEndian(Instance.Slice(Handles.RandomState, sizeof(ulong)));

    public void Dispose() => Instance.Dispose();

    /// <summary>Runs promise jobs until none is left or the run is over.</summary>
    public void RunJobs()
    {
        while (js.IsJobPending() != 0 && Calls?.Finished == false)
        {
            if (js.ExecutePendingJob() < 0)
                Calls?.OnLog(GuestLogLevel.Error, "Uncaught " + Describe(TakeException()));
        }
    }

    /// <summary>Calls a function of the prelude with values, which are freed. The caller frees its result.</summary>
    /// <exception cref="GuestException">The function threw.</exception>
    public int Call(int function, ReadOnlySpan<int> arguments)
    {
        var slots = Instance.Slice(Handles.Scratch, GuestHandles.ResultOffset);
        for (var i = 0; i < arguments.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(slots[(i * sizeof(int))..], arguments[i]);
        var result = js.Call(function, Handles.Undefined, arguments.Length, Handles.Scratch);
        foreach (var argument in arguments)
        {
            if (argument != Handles.Undefined)
                js.FreeValue(argument);
        }
        return ThrowIfException(result);
    }

    /// <summary>Evaluates source text.</summary>
    /// <param name="source">UTF-8.</param>
    /// <param name="fileName">As it appears in stack traces.</param>
    /// <param name="module">An ES module (the result is a promise of its namespace) or a script (the completion value).</param>
    /// <exception cref="GuestException">The source has a syntax error or threw.</exception>
    public int Eval(ReadOnlySpan<byte> source, string fileName, bool module)
    {
        var code = Copy(source, terminate: true);
        var file = Copy(Encoding.UTF8.GetBytes(fileName), terminate: true);
        var result = js.Eval(code, source.Length, file, module ? 1 : 0);
        js.Free(code);
        js.Free(file);
        return ThrowIfException(result);
    }

    /// <summary>Reads the value to which a promise has settled.</summary>
    /// <returns>False if it is pending.</returns>
    /// <exception cref="GuestException">It was rejected.</exception>
    public bool TryGetSettled(int promise, out int value)
    {
        value = 0;
        var state = js.PromiseState(promise);
        if (state == PromisePending)
            return false;
        value = js.PromiseResult(promise);
        if (state == PromiseRejected)
            throw new GuestException(Describe(value));
        return true;
    }

    /// <summary>Creates a string.</summary>
    public int NewString(ReadOnlySpan<byte> utf8)
    {
        var address = Copy(utf8, terminate: false);
        var value = js.NewString(address, utf8.Length);
        js.Free(address);
        return ThrowIfException(value);
    }

    /// <summary>Creates a Uint8Array; undefined for no bytes.</summary>
    public int NewBytes(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? Handles.Undefined : NewArray(bytes);

    /// <summary>Creates a Uint8Array.</summary>
    public int NewArray(ReadOnlySpan<byte> bytes)
    {
        var address = Copy(bytes, terminate: false);
        var value = js.NewBytes(address, bytes.Length);
        js.Free(address);
        return ThrowIfException(value);
    }

    /// <summary>Creates a number.</summary>
    public int NewNumber(double number) => js.NewNumber(number);

    /// <summary>Creates another reference to undefined, which the engine frees.</summary>
    public int NewUndefined() => js.DupValue(Handles.Undefined);

    /// <summary>Frees a value.</summary>
    public void Release(int value)
    {
        if (value != Handles.Undefined)
            js.FreeValue(value);
    }

    /// <summary>Reads a value as a number; NaN if it is none.</summary>
    public double GetNumber(int value) => js.GetNumber(value);

    /// <summary>Reads a value as UTF-8. Values that are no string are converted by JavaScript's rules, which may run guest code.</summary>
    /// <param name="value">The value.</param>
    /// <param name="most">The most bytes to read.</param>
    public byte[] GetUtf8(int value, int most = int.MaxValue)
    {
        var length = Handles.Scratch + GuestHandles.ResultOffset;
        var address = js.GetString(value, length);
        if (address == 0)
            throw new GuestException(TakeException());
        var bytes = Instance.Slice(address, Math.Min(ReadInt32(length), most)).ToArray();
        js.FreeString(address);
        // The engine writes lone surrogates as three bytes of invalid UTF-8; the host replaces them by U+FFFD.
        return Utf8.IsValid(bytes) ? bytes : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes));
    }

    /// <summary>Reads a value as text; see <see cref="GetUtf8"/>.</summary>
    public string GetText(int value, int most = int.MaxValue) => Encoding.UTF8.GetString(GetUtf8(value, most));

    /// <summary>Reads the bytes of a Uint8Array or the UTF-8 of a string; empty for undefined.</summary>
    public byte[] GetBody(int value)
    {
        if (js.IsUndefined(value) != 0)
            return [];
        if (js.IsString(value) != 0)
            return GetUtf8(value);
        var results = Handles.Scratch + GuestHandles.ResultOffset;
        var buffer = ThrowIfException(js.GetTypedArrayBuffer(value, results, results + 4, results + 8));
        var offset = ReadInt32(results);
        var length = ReadInt32(results + 4);
        var start = js.GetArrayBuffer(buffer, results + 12);
        var bytes = length == 0 || start == 0 ? [] : Instance.Slice(checked(start + offset), length).ToArray();
        js.FreeValue(buffer);
        return bytes;
    }

    /// <summary>Reads an argument of a host call: the value at an index of its argument vector.</summary>
    public int Argument(int vector, int index) => ReadInt32(vector + (index * sizeof(int)));

    /// <summary>Reads a member of an object.</summary>
    public int GetMember(int value, string name)
    {
        var address = Copy(Encoding.UTF8.GetBytes(name), terminate: true);
        var member = js.GetProperty(value, address);
        js.Free(address);
        return ThrowIfException(member);
    }

    /// <summary>Sets a member of the global object; the caller still owns the value.</summary>
    public void SetGlobal(string name, int value)
    {
        var global = js.GetGlobal();
        var address = Copy(Encoding.UTF8.GetBytes(name), terminate: true);
        _ = js.SetProperty(global, address, value);
        js.Free(address);
        js.FreeValue(global);
    }

    /// <summary>Reports an unhandled rejection, or one that is handled late, to the prelude. The values are freed.</summary>
    public void TrackRejection(int promise, int reason, bool handled)
    {
        if (Calls?.TracksRejections == true)
        {
            try
            {
                Release(Call(Handles.Rejection, [promise, reason, NewNumber(handled ? 1 : 0)]));
            }
            catch (GuestException)
            {
                // The engine reports from inside the guest's calls. If the rejection is a stack overflow, this report may overflow the
                // stack itself. The error must reach the guest's own catch; only the report is lost.
            }
            return;
        }
        Release(promise);
        Release(reason);
    }

    /// <summary>Reads the members of an error value; this runs guest code if the value has getters.</summary>
    /// <remarks>
    /// Errors that this code throws are not read in turn. If the guest's stack is used up, or if a getter throws an error with the same
    /// getter, that would recurse until the thread's stack is used up too, and a stack overflow that the function could have caught would
    /// end the run.
    /// </remarks>
    public GuestError Describe(int error)
    {
        if (isDescribing)
            return NotDescribable;
        isDescribing = true;
        try
        {
            var name = MemberText(error, "name") ?? "Error";
            var message = MemberText(error, "message") ?? GetText(error);
            return new GuestError(name, message, MemberText(error, "stack"), MemberText(error, "code"));
        }
        catch (GuestException)
        {
            return NotDescribable;
        }
        finally
        {
            isDescribing = false;
        }
    }

    private static string Describe(GuestError error) =>
        error.Stack is { Length: > 0 } stack ? $"{error.Name}: {error.Message}\n{stack.TrimEnd()}" : $"{error.Name}: {error.Message}";

    private string? MemberText(int value, string name)
    {
        var member = GetMember(value, name);
        var text = js.IsUndefined(member) != 0 ? null : GetText(member);
        js.FreeValue(member);
        return text;
    }

    private GuestError TakeException()
    {
        var exception = js.GetException();
        var error = Describe(exception);
        js.FreeValue(exception);
        return error;
    }

    private int ThrowIfException(int value)
    {
        if (value == 0)
            throw new GuestMemoryException();
        if (js.IsException(value) == 0)
            return value;
        js.FreeValue(value);
        throw new GuestException(TakeException());
    }

    private int Copy(ReadOnlySpan<byte> bytes, bool terminate)
    {
        var address = js.Malloc(bytes.Length + 1);
        if (address == 0)
            throw new GuestMemoryException();
        var target = Instance.Slice(address, bytes.Length + 1);
        bytes.CopyTo(target);
        if (terminate)
            target[^1] = 0;
        return address;
    }

    private int ReadInt32(int address) => BinaryPrimitives.ReadInt32LittleEndian(Instance.Slice(address, sizeof(int)));
}
