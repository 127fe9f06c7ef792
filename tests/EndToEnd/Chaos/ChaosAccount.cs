using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Chaos;

/// <summary>Compares the committed changes with their events and effects.</summary>
/// <param name="Changes">Committed changes.</param>
/// <param name="Events">Event rows of row changes.</param>
/// <param name="WithoutEvent">Changes that have no event with the right rows.</param>
/// <param name="Phantoms">Events without a committed change.</param>
/// <param name="WithoutEffect">Events that had no effect.</param>
/// <param name="WrongEffects">Effects whose rows differ from their event's.</param>
/// <param name="OutOfOrder">Events whose first effect came before that of an earlier one of their key.</param>
/// <param name="DeadLetters">Events that became dead letters.</param>
internal sealed record ChaosAccount(
    long Changes,
    long Events,
    long WithoutEvent,
    long Phantoms,
    long WithoutEffect,
    long WrongEffects,
    long OutOfOrder,
    long DeadLetters
)
{
    private const string Sql = """
        with changes as (
            select xid::text as xid, op, id, old, new, row_number() over (partition by xid, op, id, old, new order by n) as copy from audit
        ), stored as (
            select e.id as event_id, e.payload ->> 'transaction_id' as xid, e.payload ->> 'operation' as op,
                   coalesce(e.payload -> 'new' ->> 'id', e.payload -> 'old' ->> 'id')::int as id,
                   nullif(e.payload ->> 'old', 'null')::jsonb as old, nullif(e.payload ->> 'new', 'null')::jsonb as new
            from functions_private.events e where e.kind = 'database'
        ), events as (
            select xid, op, id, old, new, row_number() over (partition by xid, op, id, old, new order by event_id) as copy from stored
        ), firsts as (
            select s.id, s.event_id, min(f.n) as n from stored s join effects f on f.event_id = s.event_id group by 1, 2
        )
        select (select count(*) from changes), (select count(*) from events),
               (select count(*) from (select * from changes except all select * from events) x),
               (select count(*) from (select * from events except all select * from changes) x),
               (select count(*) from stored s where not exists (select from effects f where f.event_id = s.event_id)),
               (select count(*) from effects f where not exists (select from stored s where s.event_id = f.event_id
                   and (s.op, s.id, s.xid) = (f.op, f.id, f.xid) and s.old is not distinct from f.old and s.new is not distinct from f.new)),
               (select count(*) from (select n, lag(n) over (partition by id order by event_id) as before from firsts) x where n < before),
               (select count(*) from functions_private.dead_letters)
        """;

    /// <summary>The expected account.</summary>
    public static ChaosAccount Balanced(ChaosAccount account) => new(account.Changes, account.Changes, 0, 0, 0, 0, 0, 0);

    public static async Task<ChaosAccount> TakeAsync(string connectionString)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var command = source.CreateCommand(Sql);
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return new ChaosAccount(
            reader.GetInt64(0),
            reader.GetInt64(1),
            reader.GetInt64(2),
            reader.GetInt64(3),
            reader.GetInt64(4),
            reader.GetInt64(5),
            reader.GetInt64(6),
            reader.GetInt64(7)
        );
    }
}
