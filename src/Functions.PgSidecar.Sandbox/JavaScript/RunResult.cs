using System.Buffers;
using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>How a run ended.</summary>
public enum RunOutcome
{
    /// <summary>The handler answered and everything it started has settled.</summary>
    Succeeded,

    /// <summary>The handler threw, rejected, returned what can't be an answer, or never settled.</summary>
    Threw,

    /// <summary>The wall-clock limit passed.</summary>
    TimedOut,

    /// <summary>The memory limit was reached and the run ended because of it.</summary>
    OutOfMemory,

    /// <summary>All invocations together reached the sidecar's memory limit, and the run ended because of it.</summary>
    OutOfSharedMemory,

    /// <summary>The CPU limit was reached.</summary>
    OutOfCpu,

    /// <summary>As many instructions were executed as the limit allows.</summary>
    OutOfFuel,

    /// <summary>The WebAssembly code trapped: a defect of the module or of the engine, contained in its sandbox.</summary>
    Trapped,

    /// <summary>The host failed while it served the run.</summary>
    HostError,

    /// <summary>The caller no longer wanted the result.</summary>
    Cancelled,
}

/// <summary>An error as the guest saw it.</summary>
/// <param name="Name">The error's class, <c>TypeError</c> for instance.</param>
/// <param name="Message">Its message.</param>
/// <param name="Stack">The guest's stack, one frame a line, or <see langword="null"/>.</param>
/// <param name="Code">The error's <c>code</c> member where it has one (an SQLSTATE, a host code).</param>
public sealed record GuestError(string Name, string Message, string? Stack = null, string? Code = null)
{
    /// <summary>An error on its way into the guest: UTF-8 JSON.</summary>
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

/// <summary>What a run came to.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Error">The failure, or a failure of <c>waitUntil</c> work after a successful answer.</param>
/// <param name="CpuTime">CPU time spent in the sandbox.</param>
/// <param name="QueueTime">Time the run waited for its first turn.</param>
/// <param name="MemoryPeakBytes">The most linear memory the run had.</param>
public sealed record RunResult(RunOutcome Outcome, GuestError? Error, TimeSpan CpuTime, TimeSpan QueueTime, long MemoryPeakBytes);
