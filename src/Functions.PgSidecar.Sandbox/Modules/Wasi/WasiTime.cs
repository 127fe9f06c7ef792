using System.Buffers.Binary;
using System.Diagnostics;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Wasi;

/// <summary>Clocks, and <c>poll_oneoff</c>, by which modules sleep.</summary>
internal static class WasiTime
{
    public const int Realtime = 0;
    public const int Monotonic = 1;
    private const int ProcessCpu = 2;
    private const int ThreadCpu = 3;

    private const int SubscriptionBytes = 48;
    private const int EventBytes = 32;
    private const int MaxSubscriptions = 64;
    private const byte ClockSubscription = 0;
    private const ushort AbsoluteTime = 1;

    private const ulong NanosecondsPerTick = 100;

    /// <summary>Every time that a function reads is a multiple of this, in nanoseconds.</summary>
    public static ulong Resolution => (ulong)GuestClock.ResolutionNanoseconds;

    [HostFunction(WasiCalls.Module, "clock_res_get")]
    public static int ResolutionGet(int clock, int result, Instance instance)
    {
        if (clock is < Realtime or > ThreadCpu)
            return (int)Errno.Invalid;
        return (int)(new GuestMemory(instance).TryWrite(result, Resolution) ? Errno.Success : Errno.Fault);
    }

    [HostFunction(WasiCalls.Module, "clock_time_get")]
    public static int TimeGet(int clock, long precision, int result, Instance instance)
    {
        var process = WasiProcess.Of(instance);
        if (!TryNow(process, clock, out var nanoseconds))
            return (int)Errno.Invalid;
        process.Drawn |= clock == Realtime ? VolatileValue.Time : VolatileValue.Elapsed;
        return (int)(new GuestMemory(instance).TryWrite(result, nanoseconds) ? Errno.Success : Errno.Fault);
    }

    /// <summary>Streams are always ready. The earliest clock ends the call.</summary>
    [HostFunction(WasiCalls.Module, "poll_oneoff")]
    public static int Poll(int subscriptions, int events, int count, int result, Instance instance)
    {
        if (count is <= 0 or > MaxSubscriptions)
            return (int)Errno.Invalid;
        var process = WasiProcess.Of(instance);
        var memory = new GuestMemory(instance);
        if (
            !memory.TryCopy(subscriptions, count * SubscriptionBytes, out var wanted)
            || !memory.TrySlice(events, count * EventBytes, out _)
            || !memory.TrySlice(result, sizeof(uint), out _)
        )
            return (int)Errno.Fault;

        Span<ulong> waits = stackalloc ulong[count];
        for (var index = 0; index < count; index++)
        {
            if (!TryWait(process, wanted.AsSpan(index * SubscriptionBytes, SubscriptionBytes), out waits[index]))
                return (int)Errno.Invalid;
        }
        var shortest = waits[0];
        foreach (var wait in waits)
            shortest = Math.Min(shortest, wait);
        if (shortest > 0)
            process.Host.Sleep(TimeSpan.FromTicks((long)Math.Min(shortest / NanosecondsPerTick, long.MaxValue)));

        var written = 0u;
        for (var index = 0; index < count; index++)
        {
            if (waits[index] > shortest)
                continue;
            memory.TrySlice(events + ((int)written * EventBytes), EventBytes, out var answer);
            var subscription = wanted.AsSpan(index * SubscriptionBytes, SubscriptionBytes);
            answer.Clear();
            subscription[..8].CopyTo(answer);
            answer[10] = subscription[8];
            written++;
        }
        memory.TryWrite(result, written);
        return (int)Errno.Success;
    }

    /// <summary>Computes how long a subscription waits, in nanoseconds.</summary>
    private static bool TryWait(WasiProcess process, ReadOnlySpan<byte> subscription, out ulong wait)
    {
        wait = 0;
        if (subscription[8] != ClockSubscription)
            return subscription[8] <= 2;
        var clock = BinaryPrimitives.ReadInt32LittleEndian(subscription[16..]);
        if (clock is not (Realtime or Monotonic) || !TryNow(process, clock, out var now))
            return false;
        var time = BinaryPrimitives.ReadUInt64LittleEndian(subscription[24..]);
        var isAbsolute = (BinaryPrimitives.ReadUInt16LittleEndian(subscription[40..]) & AbsoluteTime) != 0;
        wait =
            !isAbsolute ? time
            : time > now ? time - now
            : 0;
        return true;
    }

    /// <summary>Reads a clock, in nanoseconds.</summary>
    public static bool TryNow(WasiProcess process, int clock, out ulong nanoseconds)
    {
        nanoseconds = clock switch
        {
            Realtime => (ulong)(TimeProvider.System.GetUtcNow().UtcTicks - DateTimeOffset.UnixEpoch.Ticks) * NanosecondsPerTick,
            Monotonic => (ulong)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency)),
            ProcessCpu or ThreadCpu => (ulong)(SandboxThread.CpuNanoseconds() - process.CpuBegan),
            _ => 0,
        };
        nanoseconds -= nanoseconds % Resolution;
        return clock is >= Realtime and <= ThreadCpu;
    }
}
