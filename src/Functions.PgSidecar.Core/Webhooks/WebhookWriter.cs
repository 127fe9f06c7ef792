using System.Globalization;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Npgsql;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>Stores batches of requests over its own connection.</summary>
internal sealed class WebhookWriter(NpgsqlDataSource dataSource, Guid sidecar, IFeedSink sink, TimeProvider time) : IAsyncDisposable
{
    /// <summary>How long a connection without work is kept.</summary>
    public static readonly TimeSpan Idle = TimeSpan.FromSeconds(10);

    /// <summary>The least time between two notifications of other sidecars.</summary>
    private static readonly TimeSpan NotifyInterval = TimeSpan.FromMilliseconds(100);

    private NpgsqlConnection? connection;
    private long notifiedAt;

    /// <summary>Whether it holds a connection.</summary>
    public bool IsConnected => connection is not null;

    /// <summary>Stores a batch, and completes each request that it stored.</summary>
    /// <exception cref="NpgsqlException">The others are not stored, or it is unknown whether they are.</exception>
    public async Task StoreAsync(IReadOnlyList<WebhookArrival> batch)
    {
        // One statement can't insert a delivery twice: its repetitions get the first one's receipt.
        var first = new Dictionary<(string, string), WebhookArrival>();
        var distinct = new List<WebhookArrival>(batch.Count);
        var repeated = new List<(WebhookArrival Arrival, WebhookArrival First)>();
        foreach (var arrival in batch)
        {
            if (arrival.Delivery is null || first.TryAdd((arrival.Webhook.Name, arrival.Delivery), arrival))
                distinct.Add(arrival);
            else
                repeated.Add((arrival, first[(arrival.Webhook.Name, arrival.Delivery)]));
        }
        await StoreDistinctAsync(distinct).ConfigureAwait(false);
        foreach (var (arrival, original) in repeated)
        {
            if (original.Receipt.IsCompletedSuccessfully)
                arrival.Complete(original.Receipt.Result with { Status = WebhookReceiptStatus.Repeated });
        }
    }

    /// <summary>Gives the connection back.</summary>
    public async Task DisconnectAsync()
    {
        if (connection is not { } held)
            return;
        connection = null;
        await held.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await DisconnectAsync().ConfigureAwait(false);

    private async Task StoreDistinctAsync(List<WebhookArrival> arrivals)
    {
        try
        {
            await ExecuteAsync(arrivals).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.CheckViolation)
        {
            // Today has no partition: the hourly maintenance did not run.
            await MakePartitionAsync().ConfigureAwait(false);
            await ExecuteAsync(arrivals).ConfigureAwait(false);
        }
        catch (PostgresException e) when (arrivals.Count > 1 && IsOfOneRow(e.SqlState))
        {
            // The database refuses one of them. The others must not suffer from it.
            foreach (var arrival in arrivals)
                await StoreAloneAsync(arrival).ConfigureAwait(false);
        }
        catch
        {
            // Whatever failed, the connection's state is unknown.
            await DisconnectAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task StoreAloneAsync(WebhookArrival arrival)
    {
        try
        {
            await ExecuteAsync([arrival]).ConfigureAwait(false);
        }
        catch (PostgresException e) when (IsOfOneRow(e.SqlState))
        {
            // Its sender is told when the batch ends.
        }
    }

    /// <summary>Data exceptions and limits of the server: what is wrong with a value, not with the server.</summary>
    private static bool IsOfOneRow(string sqlState) =>
        sqlState.StartsWith("22", StringComparison.Ordinal) || sqlState.StartsWith("54", StringComparison.Ordinal);

    private async Task ExecuteAsync(List<WebhookArrival> arrivals)
    {
        var claimed = arrivals.ConvertAll(arrival => sink.Reserve(arrival.Webhook.Function, arrival.Payload.Length)).ToArray();
        var reserved = arrivals.Where((_, i) => claimed[i]).ToList();
        List<WebhookArrival> stored;
        try
        {
            stored = await InsertAsync(arrivals, claimed).ConfigureAwait(false);
        }
        catch
        {
            Forget(reserved);
            throw;
        }
        var isStored = stored.ToHashSet();
        Forget(reserved.Where(arrival => !isStored.Contains(arrival)));
        sink.Accept(
            [.. reserved.Where(isStored.Contains).Select(ToDelivery)],
            [.. stored.Where(arrival => !reserved.Contains(arrival)).Select(arrival => arrival.Webhook.Function).Distinct()]
        );
    }

    private void Forget(IEnumerable<WebhookArrival> arrivals) =>
        sink.Forget([.. arrivals.Select(arrival => (arrival.Webhook.Function, arrival.Payload.Length))]);

    /// <summary>Inserts, and completes the requests after the commit.</summary>
    /// <returns>The requests whose events are new.</returns>
    private async Task<List<WebhookArrival>> InsertAsync(List<WebhookArrival> arrivals, bool[] claimed)
    {
        connection ??= await OpenAsync().ConfigureAwait(false);
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(WebhookRows.ToCommand(arrivals, claimed, sidecar));
        if (claimed.Contains(false) && (notifiedAt == 0 || time.GetElapsedTime(notifiedAt) >= NotifyInterval))
        {
            notifiedAt = time.GetTimestamp();
            batch.BatchCommands.Add(
                new NpgsqlBatchCommand(
                    string.Create(CultureInfo.InvariantCulture, $"select pg_notify('{EventChannel.Name}', 'deliveries')")
                )
            );
        }
        // Prepared once per connection, because planning takes longer than storing one event.
        await batch.PrepareAsync().ConfigureAwait(false);
        var receipts = new Dictionary<Guid, WebhookReceipt>(arrivals.Count);
        await using (var reader = await batch.ExecuteReaderAsync().ConfigureAwait(false))
        {
            while (await reader.ReadAsync().ConfigureAwait(false))
            {
                var id = reader.GetGuid(0);
                receipts[id] = reader.GetBoolean(1)
                    ? new WebhookReceipt(WebhookReceiptStatus.Stored, id)
                    : new WebhookReceipt(WebhookReceiptStatus.Repeated, reader.IsDBNull(2) ? null : reader.GetGuid(2));
            }
            // The batch is one transaction, whose commit may still fail.
            while (await reader.NextResultAsync().ConfigureAwait(false))
            {
                // The notification's result.
            }
        }
        foreach (var arrival in arrivals)
            arrival.Complete(receipts[arrival.EventId]);
        return arrivals.FindAll(arrival => receipts[arrival.EventId].Status == WebhookReceiptStatus.Stored);
    }

    /// <summary>The delivery of a request, claimed by this sidecar.</summary>
    public static Delivery ToDelivery(WebhookArrival arrival) =>
        new()
        {
            EventId = arrival.EventId,
            Token = 1,
            Function = arrival.Webhook.Function,
            Kind = TriggerKind.Webhook,
            Payload = arrival.Payload,
            CallerJson = arrival.Webhook.CallerJson,
        };

    /// <summary>
    /// A commit waits as the server's default demands, and at least for the disk: the sender forgets what is accepted. Plans are generic,
    /// as those of the inbox are.
    /// </summary>
    private async Task<NpgsqlConnection> OpenAsync()
    {
        var opened = await dataSource.OpenConnectionAsync().ConfigureAwait(false);
        try
        {
            await using var command = new NpgsqlCommand(
                """
                select set_config('synchronous_commit', case name when 'off' then 'on' else name end, false),
                    set_config('plan_cache_mode', 'force_generic_plan', false), set_config('application_name', 'pgfn webhooks', false)
                from (select current_setting('synchronous_commit') as name) s
                """,
                opened
            );
            await command.ExecuteNonQueryAsync().ConfigureAwait(false);
            return opened;
        }
        catch
        {
            await opened.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task MakePartitionAsync()
    {
        await using var command = dataSource.CreateCommand(
            "select functions_serving.make_partition('events', (now() at time zone 'UTC')::date)"
        );
        await command.ExecuteNonQueryAsync().ConfigureAwait(false);
    }
}
