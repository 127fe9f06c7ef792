using Functions.PgSidecar.Core.Events;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>A sink that accepts no deliveries, so that stored events stay for other sidecars.</summary>
internal sealed class StubFeedSink : IFeedSink
{
    public bool Reserve(string function, int bytes) => false;

    public void Accept(IReadOnlyList<Delivery> deliveries, IReadOnlyCollection<string> left) { }

    public void Forget(IReadOnlyList<(string Function, int Bytes)> reserved) { }
}
