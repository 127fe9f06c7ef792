using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>Kinds of values that differ each time they are read.</summary>
[Flags]
internal enum VolatileValue
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The time: Date.now(), new Date().</summary>
    Time = 1,

    /// <summary>Time since the invocation began: performance.now().</summary>
    Elapsed = 2,

    /// <summary>crypto.getRandomValues(), crypto.randomUUID().</summary>
    RandomBytes = 4,

    /// <summary>Math.random().</summary>
    RandomNumber = 8,
}

/// <summary>The calls of a guest to its host, on the thread of its turn.</summary>
internal interface IGuestCalls
{
    /// <summary>Whether the run is over: remaining jobs of the guest need not run.</summary>
    bool Finished { get; }

    /// <summary>Whether the guest tracks unhandled rejections.</summary>
    bool TracksRejections { get; }

    /// <summary>Milliseconds since the run began.</summary>
    double ElapsedMilliseconds { get; }

    /// <summary>The guest starts an asynchronous operation.</summary>
    void OnStart(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload);

    /// <summary>The guest abandons an operation.</summary>
    void OnCancel(int id);

    /// <summary>The guest answers; with <paramref name="bodyFollows"/> operations send the body.</summary>
    void OnRespond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows);

    /// <summary>The handler failed.</summary>
    void OnFail(GuestError failure);

    /// <summary>The guest is done; <paramref name="background"/> is the first failure of <c>waitUntil</c> work.</summary>
    void OnDone(GuestError? background);

    /// <summary>
    /// The guest reads a volatile value. While a module loads that matters, because every invocation gets the same value.
    /// </summary>
    void OnVolatile(VolatileValue value) { }

    /// <summary>The guest writes a log line.</summary>
    void OnLog(GuestLogLevel level, string message);
}
