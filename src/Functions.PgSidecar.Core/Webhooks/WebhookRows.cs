using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>Requests as the columns in which they are sent to the server: one array per column.</summary>
internal static class WebhookRows
{
    /// <summary>
    /// Remembers the deliveries, and stores an event for each that is new. Rows are inserted in one order everywhere, so that two sidecars
    /// that get the same deliveries can't wait for each other. An event that another sidecar has stored since the statement began is found
    /// by the unique index, but not by the query for its id. That query is a subquery, so that no plan joins all that is remembered.
    /// </summary>
    internal const string Sql = """
        with given as materialized (
            select * from unnest($1, $2, $3, $4, $5, $6, $7, $8)
                as g (id, webhook, delivery, dedupe_seconds, function, payload, caller, claimed)
        ), remembered as (
            insert into functions_private.webhook_deliveries as d (webhook, id, event_id, expires_at)
            select g.webhook, g.delivery, g.id, now() + g.dedupe_seconds * interval '1 second' from given g
            where g.delivery is not null order by g.webhook, g.delivery
            on conflict (webhook, id) do update
                set event_id = excluded.event_id, expires_at = excluded.expires_at, running_until = null
                where d.expires_at <= now()
            returning d.event_id
        ), accepted as materialized (
            select g.* from given g where g.delivery is null or g.id in (select r.event_id from remembered r)
        ), stored as (
            insert into functions_private.events (id, occurred_at, kind, function, trigger, payload, caller)
            select a.id, now(), 'webhook', a.function, a.webhook, a.payload, a.caller from accepted a
        ), waiting as (
            insert into functions_private.deliveries (event_id, occurred_at, function, claims, claimed_by)
            select a.id, now(), a.function, a.claimed::integer, case when a.claimed then $9 end from accepted a
        )
        select g.id, a.id is not null, case when a.id is null then (
            select d.event_id from functions_private.webhook_deliveries d where d.webhook = g.webhook and d.id = g.delivery) end
        from given g left join accepted a on a.id = g.id
        """;

    /// <summary>
    /// The statement that stores requests. Its rows: the event, whether it is stored, else the event of the first request.
    /// </summary>
    /// <param name="arrivals">The requests; each delivery once.</param>
    /// <param name="claimed">Which of them this sidecar delivers itself.</param>
    /// <param name="sidecar">This sidecar.</param>
    public static NpgsqlBatchCommand ToCommand(IReadOnlyList<WebhookArrival> arrivals, bool[] claimed, Guid sidecar)
    {
        var command = new NpgsqlBatchCommand(Sql);
        Add(command, NpgsqlDbType.Uuid, arrivals.Select(arrival => arrival.EventId));
        Add(command, NpgsqlDbType.Text, arrivals.Select(arrival => arrival.Webhook.Name));
        Add(command, NpgsqlDbType.Text, arrivals.Select(arrival => arrival.Delivery));
        Add(command, NpgsqlDbType.Integer, arrivals.Select(arrival => arrival.Webhook.DedupeSeconds));
        Add(command, NpgsqlDbType.Text, arrivals.Select(arrival => arrival.Webhook.Function));
        Add(command, NpgsqlDbType.Json, arrivals.Select(arrival => arrival.Payload));
        Add(command, NpgsqlDbType.Json, arrivals.Select(arrival => arrival.Webhook.CallerJson));
        Add(command, NpgsqlDbType.Boolean, claimed);
        command.Parameters.Add(new NpgsqlParameter { Value = sidecar });
        return command;
    }

    private static void Add<T>(NpgsqlBatchCommand command, NpgsqlDbType type, IEnumerable<T> column) =>
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | type, Value = column.ToArray() });
}
