using System.Buffers;
using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>How a run ended.</summary>
public enum RunOutcome
{
    /// <summary>The handler answered, and everything that it started has settled.</summary>
    Succeeded,

    /// <summary>The handler threw, rejected, returned a value that is no valid answer, or never settled.</summary>
    Threw,

    /// <summary>The wall-clock limit passed.</summary>
    TimedOut,

    /// <summary>The memory limit was reached and the run ended because of it.</summary>
    OutOfMemory,

    /// <summary>All invocations together reached the sidecar's memory limit, and the run ended because of it.</summary>
    OutOfSharedMemory,

    /// <summary>The CPU limit was reached.</summary>
    OutOfCpu,

    /// <summary>The limit of executed instructions was reached.</summary>
    OutOfFuel,

    /// <summary>The WebAssembly code trapped: a defect of the module or of the engine, contained in its sandbox.</summary>
    Trapped,

    /// <summary>The host failed while it served the run.</summary>
    HostError,

    /// <summary>The caller no longer wanted the result.</summary>
    Cancelled,
}

/// <summary>An error as the guest sees it.</summary>
/// <param name="Name">The error's class, <c>TypeError</c> for instance.</param>
/// <param name="Message">Its message.</param>
/// <param name="Stack">The guest's stack, one frame per line, or <see langword="null"/>.</param>
/// <param name="Code">The error's <c>code</c> member if it has one (an SQLSTATE, a code of the host).</param>
public sealed record GuestError(string Name, string Message, string? Stack = null, string? Code = null)
{
    /// <summary>Whether the guest asked not to be tried again (<c>controller.noRetry()</c> of a scheduled run).</summary>
    public bool IsFinal { get; init; }

    /// <summary>Which messages of a batch the guest had acknowledged or put back before it failed, JSON; null if it says nothing.</summary>
    public string? Messages { get; init; }

    /// <summary>Writes an error for the guest, as UTF-8 JSON.</summary>
    internal static ReadOnlyMemory<byte> ToJson(string name, string message, string? code)
    {
        var json = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        writer.WriteString("name"u8, name);
        writer.WriteString("message"u8, message);
        if (code is not null)
            writer.WriteString("code"u8, code);
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }
}

/// <summary>The result of a run.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Error">The failure, or a failure of <c>waitUntil</c> work after a successful answer.</param>
/// <param name="CpuTime">CPU time spent in the sandbox.</param>
/// <param name="QueueTime">Time that the run waited for its first turn.</param>
/// <param name="MemoryPeakBytes">The most linear memory that the run had, in bytes.</param>
public sealed record RunResult(RunOutcome Outcome, GuestError? Error, TimeSpan CpuTime, TimeSpan QueueTime, long MemoryPeakBytes);
