namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// A part of the sidecar that creates work without a request: a source of events, or the dispatcher that delivers them. A shutdown stops
/// these first, stage after stage, while everything else still works. Then the running invocations may end.
/// </summary>
internal interface IEventProducer
{
    /// <summary>The stage in which it is stopped.</summary>
    EventProducerStage Stage { get; }

    /// <summary>Stops creating work, and releases what another sidecar can do. The host may call it again.</summary>
    Task StopAsync(CancellationToken cancellationToken);
}

/// <summary>The order in which producers are stopped.</summary>
internal enum EventProducerStage
{
    /// <summary>Creates events (the WAL reader): another sidecar takes over at once.</summary>
    Source,

    /// <summary>Delivers events to functions: waiting deliveries are released.</summary>
    Delivery,
}
