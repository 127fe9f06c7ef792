namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>Values that are different each time a program asks.</summary>
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

/// <summary>What the guest says to its host, on the thread of its turn.</summary>
internal interface IGuestCalls
{
    /// <summary>Whether the run is over: what the guest still has to do, nobody waits for.</summary>
    bool Finished { get; }

    /// <summary>Whether rejections that nobody handles are of interest.</summary>
    bool TracksRejections { get; }

    /// <summary>Milliseconds since the run began.</summary>
    double ElapsedMilliseconds { get; }

    /// <summary>An asynchronous operation begins.</summary>
    void OnStart(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload);

    /// <summary>The guest gives an operation up.</summary>
    void OnCancel(int id);

    /// <summary>The answer.</summary>
    void OnRespond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body);

    /// <summary>The handler failed.</summary>
    void OnFail(GuestError failure);

    /// <summary>Nothing is left to do; <paramref name="background"/> is the first failure of <c>waitUntil</c> work.</summary>
    void OnDone(GuestError? background);

    /// <summary>The guest was given something that is different each time: of interest while a module loads, whose values every invocation gets.</summary>
    void OnVolatile(VolatileValue value)
    {
    }

    /// <summary>A log line.</summary>
    void OnLog(GuestLogLevel level, string message);
}
