namespace Functions.PgSidecar.Core.RowChanges.Triggers;

/// <summary>The member names of a trigger's events (the option <c>payload</c>).</summary>
public enum PayloadShape
{
    /// <summary><c>operation</c>, <c>new</c> and <c>old</c>.</summary>
    Event,

    /// <summary><c>type</c>, <c>record</c> and <c>old_record</c>, as in Supabase's Database Webhooks.</summary>
    Supabase,
}
