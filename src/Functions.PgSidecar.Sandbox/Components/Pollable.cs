using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components;

/// <summary>What a component can wait for.</summary>
internal sealed class Pollable
{
    private const int MaxPollables = 1024;

    private Pollable() { }

    /// <summary>Always ready.</summary>
    public static Pollable Ready { get; } = new();

    /// <summary>The time of the monotonic clock when it becomes ready, in nanoseconds; 0 for no time.</summary>
    private ulong Instant { get; init; }

    /// <summary>What it waits for; <see langword="null"/> for nothing but a time.</summary>
    private IAwaitable? Awaited { get; init; }

    /// <summary>Becomes ready at a time of the monotonic clock.</summary>
    public static Pollable At(ulong instant) => new() { Instant = instant };

    /// <summary>Becomes ready with something else.</summary>
    public static Pollable Of(IAwaitable awaited) => new() { Awaited = awaited };

    [ComponentFunction("wasi:io/poll", "[method]pollable.ready")]
    public static void IsReady(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        call.Return(Values.Bool(process.Borrowed<Pollable>(call, 0).IsReadyAt(Now(process))));
    }

    [ComponentFunction("wasi:io/poll", "[method]pollable.block")]
    public static void Block(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        Wait(process, [process.Borrowed<Pollable>(call, 0)]);
    }

    [ComponentFunction("wasi:io/poll", "poll")]
    public static void Poll(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        var list = call.List(0);
        if (list.Length is 0 or > MaxPollables)
            throw new WasmTrapException(TrapKind.Other, $"poll takes 1 to {MaxPollables} pollables");
        var pollables = new Pollable[list.Length];
        for (var index = 0; index < pollables.Length; index++)
            pollables[index] = process.Find<Pollable>(call.ResourceOf(list[index]));
        Wait(process, pollables);
        var now = Now(process);
        var ready = new List<ComponentValue>();
        for (var index = 0; index < pollables.Length; index++)
        {
            if (pollables[index].IsReadyAt(now))
                ready.Add(Values.U32((uint)index));
        }
        call.Return(Values.List([.. ready]));
    }

    /// <summary>The monotonic clock, in nanoseconds.</summary>
    public static ulong Now(ComponentProcess process) =>
        WasiTime.TryNow(process.Environment, WasiTime.Monotonic, out var nanoseconds) ? nanoseconds : 0;

    private bool IsReadyAt(ulong now) => Awaited is null ? Instant <= now : Awaited.IsSettled;

    /// <summary>Waits until one is ready. The thread belongs to the component: it waits here.</summary>
    private static void Wait(ComponentProcess process, ReadOnlySpan<Pollable> pollables)
    {
        while (true)
        {
            var now = Now(process);
            Pollable? earliest = null;
            IAwaitable? awaited = null;
            foreach (var pollable in pollables)
            {
                if (pollable.IsReadyAt(now))
                    return;
                if (pollable.Awaited is { CanSettle: true } other)
                    awaited ??= other;
                else if (pollable.Awaited is null && (earliest is null || pollable.Instant < earliest.Instant))
                    earliest = pollable;
            }
            if (awaited is not null)
                awaited.Settle();
            else if (earliest is not null)
                process.Environment.Host.Sleep(TimeSpan.FromTicks((long)Math.Min(((earliest.Instant - now) / 100) + 1, long.MaxValue)));
            else
                throw new GuestException(
                    new GuestError("Error", "The component waits for something that can never happen.", Code: "NEVER_SETTLED")
                );
        }
    }
}

/// <summary>Something that is not ready yet.</summary>
internal interface IAwaitable
{
    /// <summary>Whether it is ready.</summary>
    bool IsSettled { get; }

    /// <summary>Whether waiting for it can help.</summary>
    bool CanSettle { get; }

    /// <summary>Waits until it is ready.</summary>
    void Settle();
}
