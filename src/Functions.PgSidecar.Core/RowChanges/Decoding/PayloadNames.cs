using System.Text.Json;
using Functions.PgSidecar.Core.RowChanges.Triggers;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>The names of the members of an event that differ between payload shapes; all other members are the same in each.</summary>
/// <param name="Operation">INSERT, UPDATE, DELETE or TRUNCATE.</param>
/// <param name="New">The row after the change, or null.</param>
/// <param name="Old">The row before the change, or null.</param>
internal sealed record PayloadNames(JsonEncodedText Operation, JsonEncodedText New, JsonEncodedText Old)
{
    private static readonly PayloadNames Event = new(
        JsonEncodedText.Encode("operation"),
        JsonEncodedText.Encode("new"),
        JsonEncodedText.Encode("old")
    );

    /// <summary>The names in the body of Supabase's Database Webhooks.</summary>
    private static readonly PayloadNames Supabase = new(
        JsonEncodedText.Encode("type"),
        JsonEncodedText.Encode("record"),
        JsonEncodedText.Encode("old_record")
    );

    public static PayloadNames Of(PayloadShape shape) => shape == PayloadShape.Supabase ? Supabase : Event;
}
