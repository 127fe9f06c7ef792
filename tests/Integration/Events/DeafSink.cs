using Functions.PgSidecar.Postgres.Events;
using Functions.PgSidecar.Postgres.Replication;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>A sidecar that has no room: what is stored is for others.</summary>
internal sealed class DeafSink : IFeedSink
{
    public bool Reserve(string function, int trigger, int bytes) => false;

    public void Accept(IReadOnlyList<Delivery> deliveries, IReadOnlyCollection<string> left)
    {
    }

    public void Forget(IReadOnlyList<(string Function, int Bytes)> reserved)
    {
    }

    public ValueTask WaitForRoomAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public void Leading(long epoch)
    {
    }
}
