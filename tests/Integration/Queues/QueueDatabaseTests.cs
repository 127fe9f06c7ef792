using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Queues;

/// <summary>Tests with a database that has the queue <c>q</c> and the function <c>f</c>, and take the part of two sidecars.</summary>
public abstract class QueueDatabaseTests : IAsyncLifetime
{
    private protected static readonly Guid Mine = Guid.CreateVersion7();
    private protected static readonly Guid Other = Guid.CreateVersion7();

    private protected TestDatabase Database { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync();
        await Database.ExecuteAsync("insert into functions_private.functions (name) values ('f'); select functions.create_queue('q')");
    }

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected Task ConsumeAsync(string options) => Database.ExecuteAsync($"select functions.consume_queue('q', 'f', '{options}')");

    private protected async Task<Guid> ClaimAsync(Guid sidecar)
    {
        await using var command = Database.Owner.CreateCommand(
            $"select batch from functions_private.claim_messages('q', '{sidecar}', 1, null) limit 1"
        );
        return await command.ExecuteScalarAsync() is Guid lease ? lease : Guid.Empty;
    }

    /// <summary>The three counts; null if the lease was lost.</summary>
    private protected async Task<string?> FinishAsync(Guid lease, string acknowledged, string retried)
    {
        await using var command = Database.Owner.CreateCommand(
            $"select acks || ',' || retries || ',' || dead from functions_private.finish_batch('{lease}', {acknowledged}, {retried}, array_fill(null::int, array[cardinality({retried})]), null, 0, 'E', 'm')"
        );
        return await command.ExecuteScalarAsync() as string;
    }
}
