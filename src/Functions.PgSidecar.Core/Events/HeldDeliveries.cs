namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// The deliveries that this sidecar holds: how many it may take, which are waiting, and which may start. Functions share both fairly, so
/// that no function, and no number of functions, delays another by more than one round. Every member is thread-safe.
/// </summary>
/// <remarks>
/// Capacity: a function may hold as many deliveries as are still free (the dynamic-threshold rule by which switches share a buffer). One
/// function gets half of the capacity, two get a third each; however many there are, something is left for the next one. Starts: one
/// invocation per function and round.
/// </remarks>
internal sealed class HeldDeliveries(int maxRunning)
{
    /// <summary>The most deliveries held at once.</summary>
    private const int MaxHeld = 6000;

    /// <summary>The most deliveries of one function claimed at once.</summary>
    private const int MaxClaim = 1000;

    private const long MaxBytes = 64L << 20;

    /// <summary>
    /// The first pause of a function when the database is unavailable; it doubles up to <see cref="EventInvoker.Unavailable"/>.
    /// </summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);

    private readonly Lock gate = new();
    private readonly Dictionary<string, FunctionDeliveries> functions = new(StringComparer.Ordinal);
    private readonly HashSet<Guid> events = [];

    /// <summary>The functions that have a delivery that may start, in round-robin order.</summary>
    private readonly Queue<FunctionDeliveries> turns = new();

    private int held;
    private long heldBytes;
    private int running;
    private bool closed;

    /// <summary>The number of held deliveries.</summary>
    public int Count
    {
        get
        {
            lock (gate)
                return held;
        }
    }

    /// <summary>Reserves capacity for a delivery that will be stored or claimed.</summary>
    public bool TryReserve(string function, int bytes)
    {
        lock (gate)
        {
            var deliveries = For(function);
            if (
                closed
                || deliveries.Setbacks > 0
                || Free(deliveries) <= 0
                || deliveries.HeldBytes + bytes > MaxBytes - heldBytes
                || deliveries.PausedUntil > Environment.TickCount64
            )
                return false;
            Hold(deliveries, bytes);
            return true;
        }
    }

    /// <summary>Returns capacity that was reserved but not used.</summary>
    public void Release(string function, int bytes)
    {
        lock (gate)
            RemoveHeld(For(function), bytes);
    }

    /// <summary>How many more deliveries of each function may be claimed; functions that can't be called are left out.</summary>
    public Dictionary<string, int> Room(IEnumerable<string> names)
    {
        lock (gate)
        {
            var room = new Dictionary<string, int>(StringComparer.Ordinal);
            if (closed)
                return room;
            foreach (var name in names)
            {
                var deliveries = For(name);
                // In small batches, so that other sidecars find work as well.
                var free = Math.Min(Free(deliveries), deliveries.MaxClaim);
                if (free > 0 && deliveries.HeldBytes < MaxBytes - heldBytes && deliveries.PausedUntil <= Environment.TickCount64)
                    room[name] = free;
            }
            return room;
        }
    }

    /// <summary>Whether an event is held.</summary>
    public bool Holds(Guid eventId)
    {
        lock (gate)
            return events.Contains(eventId);
    }

    /// <summary>Holds a delivery that has reserved capacity; it can't start yet.</summary>
    public void Keep(Delivery delivery)
    {
        lock (gate)
            events.Add(delivery.EventId);
    }

    /// <summary>Queues a delivery that has reserved capacity.</summary>
    public void Enqueue(Delivery delivery)
    {
        lock (gate)
        {
            events.Add(delivery.EventId);
            var deliveries = For(delivery.Function);
            deliveries.Waiting.Enqueue(delivery);
            TakeTurn(deliveries);
        }
    }

    /// <summary>Queues a claimed delivery, whether capacity was reserved or not.</summary>
    public void Claimed(Delivery delivery)
    {
        lock (gate)
        {
            var deliveries = For(delivery.Function);
            Hold(deliveries, delivery.Payload.Length);
            events.Add(delivery.EventId);
            deliveries.Waiting.Enqueue(delivery);
            TakeTurn(deliveries);
        }
    }

    /// <summary>Takes the deliveries that may start now. Each entry is one invocation.</summary>
    /// <param name="batchSize">The most events that the delivery's trigger puts into one invocation.</param>
    public List<Delivery[]> Start(Func<Delivery, int> batchSize)
    {
        var starting = new List<Delivery[]>();
        lock (gate)
        {
            if (closed)
                return starting;
            while (running < maxRunning && turns.TryDequeue(out var deliveries))
            {
                deliveries.HasTurn = false;
                if (!deliveries.Waiting.TryPeek(out var first) || deliveries.IsFull)
                    continue;
                running++;
                deliveries.Running++;
                starting.Add(deliveries.Take(first, batchSize(first)));
                TakeTurn(deliveries);
            }
        }
        return starting;
    }

    /// <summary>Ends an invocation.</summary>
    /// <param name="batch">Its events.</param>
    /// <param name="end">What its outcome means for the function's next deliveries.</param>
    /// <returns>Whether the function has so few deliveries left that more should be claimed.</returns>
    public bool End(Delivery[] batch, DeliveryEnd end)
    {
        lock (gate)
        {
            var deliveries = For(batch[0].Function);
            running--;
            deliveries.Running--;
            if (end.Concurrency is { } known)
                deliveries.Limit = known;
            deliveries.Apply(end);
            foreach (var delivery in batch)
            {
                events.Remove(delivery.EventId);
                RemoveHeld(deliveries, delivery.Payload.Length);
            }
            TakeTurn(deliveries);
            return deliveries.Held <= MaxClaim / 2;
        }
    }

    /// <summary>Removes a function's deliveries that have not started, and returns them.</summary>
    public List<Delivery> TakeWaiting(string function)
    {
        lock (gate)
        {
            var deliveries = For(function);
            var waiting = new List<Delivery>(deliveries.Waiting);
            deliveries.Waiting.Clear();
            foreach (var delivery in waiting)
            {
                events.Remove(delivery.EventId);
                RemoveHeld(deliveries, delivery.Payload.Length);
            }
            return waiting;
        }
    }

    /// <summary>Prevents further starts, and returns the waiting deliveries.</summary>
    public List<Delivery> Close()
    {
        lock (gate)
        {
            closed = true;
            var waiting = new List<Delivery>();
            foreach (var deliveries in functions.Values)
            {
                waiting.AddRange(deliveries.Waiting);
                deliveries.Waiting.Clear();
            }
            return waiting;
        }
    }

    private FunctionDeliveries For(string function)
    {
        if (!functions.TryGetValue(function, out var deliveries))
            functions.Add(function, deliveries = new FunctionDeliveries());
        return deliveries;
    }

    /// <summary>Queues the function for the next round, if it has a delivery that may start.</summary>
    private void TakeTurn(FunctionDeliveries deliveries)
    {
        if (deliveries.HasTurn || deliveries.Waiting.Count == 0 || deliveries.IsFull)
            return;
        deliveries.HasTurn = true;
        turns.Enqueue(deliveries);
    }

    /// <summary>How many more deliveries of a function may be held.</summary>
    private int Free(FunctionDeliveries deliveries) => MaxHeld - held - deliveries.Held;

    private void Hold(FunctionDeliveries deliveries, int bytes)
    {
        held++;
        heldBytes += bytes;
        deliveries.Held++;
        deliveries.HeldBytes += bytes;
    }

    private void RemoveHeld(FunctionDeliveries deliveries, int bytes)
    {
        held--;
        heldBytes -= bytes;
        deliveries.Held--;
        deliveries.HeldBytes -= bytes;
    }

    private sealed class FunctionDeliveries
    {
        /// <summary>The default of the option <c>concurrency</c>.</summary>
        public int Limit { get; set; } = Invocations.FunctionAdmission.DefaultConcurrency;

        public Queue<Delivery> Waiting { get; } = new();

        public int Held { get; set; }

        public long HeldBytes { get; set; }

        /// <summary>Whether it is queued for a round.</summary>
        public bool HasTurn { get; set; }

        public int Running { get; set; }

        public long PausedUntil { get; private set; }

        /// <summary>How many times in a row the database was unavailable.</summary>
        public int Setbacks { get; private set; }

        /// <summary>While the database is unavailable, one delivery at a time tests whether it is back.</summary>
        public bool IsFull => Running >= (Setbacks > 0 ? 1 : Limit);

        public int MaxClaim => Setbacks > 0 ? 1 : HeldDeliveries.MaxClaim;

        public void Apply(DeliveryEnd end)
        {
            var now = Environment.TickCount64;
            if (end.IsDatabaseAway)
            {
                // Deliveries that ran at the same time report the same failure again.
                if (PausedUntil > now)
                    return;
                PausedUntil =
                    now
                    + (long)
                        Math.Min(FirstPause.TotalMilliseconds * (1 << Math.Min(Setbacks, 10)), EventInvoker.Unavailable.TotalMilliseconds);
                Setbacks++;
            }
            else if (end.Concurrency is null)
            {
                PausedUntil = now + (long)EventInvoker.Unavailable.TotalMilliseconds;
            }
            else
            {
                Setbacks = 0;
                PausedUntil = 0;
            }
        }

        /// <summary>
        /// The first delivery, and those behind it that can share its invocation: of the same trigger and caller, and not failed before.
        /// </summary>
        public Delivery[] Take(Delivery first, int most)
        {
            Waiting.Dequeue();
            if (most <= 1 || first.FailedAttempts > 0)
                return [first];
            var batch = new List<Delivery> { first };
            while (
                batch.Count < most
                && Waiting.TryPeek(out var next)
                && next.TriggerId == first.TriggerId
                && next.FailedAttempts == 0
                && next.CallerJson == first.CallerJson
                && next.Depth == first.Depth
            )
                batch.Add(Waiting.Dequeue());
            return [.. batch];
        }
    }
}

/// <summary>What the outcome of a delivery means for the next deliveries of its function.</summary>
/// <param name="Concurrency">How many invocations of the function may run at once; null if it can't be called now.</param>
/// <param name="IsDatabaseAway">Whether the database could not be reached, or accepted no work.</param>
internal readonly record struct DeliveryEnd(int? Concurrency, bool IsDatabaseAway = false)
{
    /// <summary>The function is disabled, not compiled, or can't be loaded.</summary>
    public static DeliveryEnd NotCallable => default;

    /// <summary>Whether the next deliveries can be started.</summary>
    public bool CanGoOn => Concurrency is not null && !IsDatabaseAway;
}
