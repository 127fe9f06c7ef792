namespace Functions.PgSidecar.Postgres.Events;

/// <summary>The names that a trigger's events use (the option <c>payload</c>).</summary>
public enum PayloadShape
{
    /// <summary><c>operation</c>, <c>new</c> and <c>old</c>.</summary>
    Event,

    /// <summary><c>type</c>, <c>record</c> and <c>old_record</c>, as Supabase's Database Webhooks have it.</summary>
    Supabase,
}
