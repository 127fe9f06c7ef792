using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Sessions;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>Who made the changes that follow in a transaction, as <c>functions_private.capture_context()</c> wrote it among them.</summary>
/// <param name="Role">The role the writer had.</param>
/// <param name="Subject">The writer's claim <c>sub</c>, or null.</param>
/// <param name="ClaimsJson">The writer's claims, or null.</param>
/// <param name="Depth">How many functions stand between the first cause and these changes.</param>
internal sealed record CapturedContext(string Role, string? Subject, string? ClaimsJson, short Depth)
{
    /// <summary>Who makes changes whose context the database has signed and nobody can read: somebody without privileges.</summary>
    public static readonly CapturedContext Unreadable = new("anon", null, null, 0);

    /// <summary>How deep claims may be nested: deeper than the server takes them, whose stack is the limit.</summary>
    public const int MaxDepth = 1_000_000;

    /// <summary>The prefix of the messages.</summary>
    public const string Prefix = "functions.context";

    /// <summary>What the signed text begins with, so that no other signature under the same key will do.</summary>
    private const string Domain = "wal";

    /// <summary>Whose session it was, where that is no role of functions and <see cref="Role"/> stands in for it; or null.</summary>
    public string? Writer { get; init; }

    private readonly Dictionary<string, string> callersOfFixedRoles = new(1, StringComparer.Ordinal);
    private string? caller;

    /// <summary>The caller of events that this context's changes make, as <see cref="WriteCaller"/> writes it.</summary>
    /// <param name="fixedRole">A role that the trigger fixes, or null for the writer's.</param>
    public string Caller(string? fixedRole)
    {
        if (fixedRole is null) return caller ??= WriteCaller(null, Role, Subject, ClaimsJson, Writer);
        if (!callersOfFixedRoles.TryGetValue(fixedRole, out var json))
            callersOfFixedRoles[fixedRole] = json = WriteCaller(fixedRole, Role, Subject, ClaimsJson);
        return json;
    }

    /// <summary>
    /// The caller of events, as the inbox keeps it: <c>{role, fixed, writer, sub, claims}</c>. That the trigger fixed the role is told with the event, for the trigger may
    /// be another by the time it is delivered, or gone, and the function's option <c>role</c> must not take its place then.
    /// </summary>
    public static string WriteCaller(string? fixedRole, string writersRole, string? subject, string? claimsJson, string? writer = null) =>
        $$"""{"role":{{JsonSerializer.Serialize(fixedRole ?? writersRole)}},{{(fixedRole is null ? "" : "\"fixed\":true,")}}{{(writer is null ? "" : $"\"writer\":{JsonSerializer.Serialize(writer)},")}}"sub":{{JsonSerializer.Serialize(subject)}},"claims":{{claimsJson ?? "null"}}}""";

    /// <summary>Reads a message, if the database signed it for this transaction.</summary>
    /// <param name="content">64 hexadecimal digits of HMAC-SHA256, then JSON.</param>
    /// <param name="key">The database's key, <see cref="ContextKey"/>.</param>
    /// <param name="xid">The transaction's id, its lower 32 bits.</param>
    /// <returns>Null for a message that somebody else wrote.</returns>
    public static CapturedContext? Verify(ReadOnlySpan<byte> content, ReadOnlySpan<byte> key, uint xid)
    {
        if (!SignedMessage.TryVerify(content, key, Domain, out var json)) return null;
        try
        {
            return Parse(json, xid);
        }
        catch (Exception e) when (UnreadableChangeException.IsCause(e))
        {
            return Unreadable;
        }
    }

    private static CapturedContext? Parse(ReadOnlySpan<byte> json, uint xid)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        using var document = JsonDocument.ParseValue(ref reader);
        var context = document.RootElement;
        if ((uint)ulong.Parse(context.GetProperty("xid"u8).GetString()!, CultureInfo.InvariantCulture) != xid) return null;
        return new CapturedContext(
            context.GetProperty("role"u8).GetString()!,
            context.TryGetProperty("sub"u8, out var sub) ? sub.GetString() : null,
            context.TryGetProperty("claims"u8, out var claims) && claims.ValueKind == JsonValueKind.Object ? claims.GetRawText() : null,
            (short)(context.TryGetProperty("depth"u8, out var depth) ? Math.Min(depth.GetInt32(), short.MaxValue) : 0))
        {
            Writer = context.TryGetProperty("writer"u8, out var writer) ? writer.GetString() : null,
        };
    }
}
