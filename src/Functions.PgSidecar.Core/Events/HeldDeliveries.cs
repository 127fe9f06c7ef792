using Functions.PgSidecar.Postgres.Events;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// The deliveries that this sidecar holds: how many it may take, which wait, and which may start. Functions share both fairly, so that none of them,
/// and no number of them, keeps another one waiting for more than a turn. Every member may be called by any thread.
/// </summary>
/// <remarks>
/// Places: a function may hold as many as are still free, the rule by which switches share a buffer. One function gets half of them, two a third each;
/// however many there are, something is left for the next one. Starts: one invocation a function and round.
/// </remarks>
internal sealed class HeldDeliveries(int maxRunning)
{
    /// <summary>Deliveries held at once.</summary>
    private const int MaxHeld = 6000;

    /// <summary>Deliveries of one function claimed at once.</summary>
    private const int MaxClaim = 1000;

    private const long MaxBytes = 64L << 20;

    /// <summary>How long a function is left alone when the database is away, the first time; it doubles up to <see cref="EventInvoker.Unavailable"/>.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);

    private readonly Lock gate = new();
    private readonly Dictionary<string, FunctionDeliveries> functions = new(StringComparer.Ordinal);
    private readonly HashSet<Guid> events = [];

    /// <summary>The functions of which something may start, in the order of their turns.</summary>
    private readonly Queue<FunctionDeliveries> turns = new();

    private int held;
    private long heldBytes;
    private int running;
    private bool closed;

    /// <summary>How many are held.</summary>
    public int Count
    {
        get
        {
            lock (gate)
                return held;
        }
    }

    /// <summary>Takes a place for one that will be stored or claimed.</summary>
    public bool TryReserve(string function, int bytes)
    {
        lock (gate)
        {
            var deliveries = Of(function);
            if (closed || deliveries.Setbacks > 0 || Free(deliveries) <= 0 || deliveries.HeldBytes + bytes > MaxBytes - heldBytes || deliveries.PausedUntil > Environment.TickCount64)
                return false;
            Hold(deliveries, bytes);
            return true;
        }
    }

    /// <summary>Gives places back that were taken in vain.</summary>
    public void Release(string function, int bytes)
    {
        lock (gate)
            Let(Of(function), bytes);
    }

    /// <summary>How many more of each function may be claimed; those that can't be called are not among them.</summary>
    public Dictionary<string, int> Room(IEnumerable<string> names)
    {
        lock (gate)
        {
            var room = new Dictionary<string, int>(StringComparer.Ordinal);
            if (closed)
                return room;
            foreach (var name in names)
            {
                var deliveries = Of(name);
                // By handfuls, so that other sidecars find something as well.
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

    /// <summary>Takes one that has a place; it can't start yet.</summary>
    public void Keep(Delivery delivery)
    {
        lock (gate)
            events.Add(delivery.EventId);
    }

    /// <summary>Puts one that has a place in line.</summary>
    public void Enqueue(Delivery delivery)
    {
        lock (gate)
        {
            events.Add(delivery.EventId);
            var deliveries = Of(delivery.Function);
            deliveries.Waiting.Enqueue(delivery);
            TakeTurn(deliveries);
        }
    }

    /// <summary>Puts claimed ones in line, place or not.</summary>
    public void Claimed(Delivery delivery)
    {
        lock (gate)
        {
            var deliveries = Of(delivery.Function);
            Hold(deliveries, delivery.Payload.Length);
            events.Add(delivery.EventId);
            deliveries.Waiting.Enqueue(delivery);
            TakeTurn(deliveries);
        }
    }

    /// <summary>Takes what may start now: each entry is one invocation's.</summary>
    /// <param name="batchSize">How many events a delivery's trigger lets go together.</param>
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

    /// <summary>An invocation has ended.</summary>
    /// <param name="batch">Its events.</param>
    /// <param name="end">What its end says about the function's next ones.</param>
    /// <returns>Whether few enough of the function's are left to claim more.</returns>
    public bool End(Delivery[] batch, DeliveryEnd end)
    {
        lock (gate)
        {
            var deliveries = Of(batch[0].Function);
            running--;
            deliveries.Running--;
            if (end.Concurrency is { } known)
                deliveries.Limit = known;
            deliveries.Learn(end);
            foreach (var delivery in batch)
            {
                events.Remove(delivery.EventId);
                Let(deliveries, delivery.Payload.Length);
            }
            TakeTurn(deliveries);
            return deliveries.Held <= MaxClaim / 2;
        }
    }

    /// <summary>Gives up the places of a function's deliveries that have not started, and gives them out.</summary>
    public List<Delivery> TakeWaiting(string function)
    {
        lock (gate)
        {
            var deliveries = Of(function);
            var waiting = new List<Delivery>(deliveries.Waiting);
            deliveries.Waiting.Clear();
            foreach (var delivery in waiting)
            {
                events.Remove(delivery.EventId);
                Let(deliveries, delivery.Payload.Length);
            }
            return waiting;
        }
    }

    /// <summary>Lets nothing start any more, and gives out what waits.</summary>
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

    private FunctionDeliveries Of(string function)
    {
        if (!functions.TryGetValue(function, out var deliveries))
            functions.Add(function, deliveries = new FunctionDeliveries());
        return deliveries;
    }

    /// <summary>Behind the others, where there is something that may start.</summary>
    private void TakeTurn(FunctionDeliveries deliveries)
    {
        if (deliveries.HasTurn || deliveries.Waiting.Count == 0 || deliveries.IsFull)
            return;
        deliveries.HasTurn = true;
        turns.Enqueue(deliveries);
    }

    /// <summary>How many more of a function may be held.</summary>
    private int Free(FunctionDeliveries deliveries) => MaxHeld - held - deliveries.Held;

    private void Hold(FunctionDeliveries deliveries, int bytes)
    {
        held++;
        heldBytes += bytes;
        deliveries.Held++;
        deliveries.HeldBytes += bytes;
    }

    private void Let(FunctionDeliveries deliveries, int bytes)
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

        /// <summary>Whether it is among the turns.</summary>
        public bool HasTurn { get; set; }

        public int Running { get; set; }

        public long PausedUntil { get; private set; }

        /// <summary>How many times in a row the database was away.</summary>
        public int Setbacks { get; private set; }

        /// <summary>While the database is away, one delivery at a time finds out whether it is back.</summary>
        public bool IsFull => Running >= (Setbacks > 0 ? 1 : Limit);

        public int MaxClaim => Setbacks > 0 ? 1 : HeldDeliveries.MaxClaim;

        public void Learn(DeliveryEnd end)
        {
            var now = Environment.TickCount64;
            if (end.IsDatabaseAway)
            {
                // Those that ran at the same time tell the same thing once more.
                if (PausedUntil > now)
                    return;
                PausedUntil = now + (long)Math.Min(FirstPause.TotalMilliseconds * (1 << Math.Min(Setbacks, 10)), EventInvoker.Unavailable.TotalMilliseconds);
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

        /// <summary>The first one, and those behind it that may go along: of the same trigger, for the same caller, not failed before.</summary>
        public Delivery[] Take(Delivery first, int most)
        {
            Waiting.Dequeue();
            if (most <= 1 || first.FailedAttempts > 0)
                return [first];
            var batch = new List<Delivery> { first };
            while (batch.Count < most && Waiting.TryPeek(out var next) && next.TriggerId == first.TriggerId && next.FailedAttempts == 0
                   && next.CallerJson == first.CallerJson && next.Depth == first.Depth)
                batch.Add(Waiting.Dequeue());
            return [.. batch];
        }
    }
}

/// <summary>What the end of a delivery says about the next ones of its function.</summary>
/// <param name="Concurrency">How many invocations of the function may run at once; null: it can't be called now.</param>
/// <param name="IsDatabaseAway">Whether the database could not be reached, or took no work.</param>
internal readonly record struct DeliveryEnd(int? Concurrency, bool IsDatabaseAway = false)
{
    /// <summary>The function is disabled, not compiled, or can't be loaded.</summary>
    public static DeliveryEnd NotCallable => default;

    /// <summary>Whether the next ones would fare any better.</summary>
    public bool CanGoOn => Concurrency is not null && !IsDatabaseAway;
}
