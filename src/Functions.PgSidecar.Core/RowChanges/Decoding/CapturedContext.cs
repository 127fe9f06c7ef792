using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Sessions;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>
/// The writer of the changes that follow in a transaction, as <c>functions_private.capture_context()</c> recorded it in the WAL.
/// </summary>
/// <param name="Role">The writer's role.</param>
/// <param name="Subject">The writer's claim <c>sub</c>, or null.</param>
/// <param name="ClaimsJson">The writer's claims, or null.</param>
/// <param name="Depth">How many functions lie between the first cause and these changes.</param>
internal sealed record CapturedContext(string Role, string? Subject, string? ClaimsJson, short Depth)
{
    /// <summary>The caller of changes whose context the database has signed but that can't be read: a caller without privileges.</summary>
    public static readonly CapturedContext Unreadable = new("anon", null, null, 0);

    /// <summary>The deepest nesting of claims: deeper than the server accepts, whose stack is the limit.</summary>
    public const int MaxDepth = 1_000_000;

    /// <summary>The prefix of the WAL messages.</summary>
    public const string Prefix = "functions.context";

    /// <summary>The domain prefix of the signed text, so that no other signature under the same key is accepted.</summary>
    private const string Domain = "wal";

    /// <summary>The session's login, if it is not a role of functions and <see cref="Role"/> stands in for it; otherwise null.</summary>
    public string? Writer { get; init; }

    private readonly Dictionary<string, string> callersOfFixedRoles = new(1, StringComparer.Ordinal);
    private string? caller;

    /// <summary>The caller of events for changes with this context, as <see cref="WriteCaller"/> writes it.</summary>
    /// <param name="fixedRole">A role that the trigger sets, or null for the writer's role.</param>
    public string Caller(string? fixedRole)
    {
        if (fixedRole is null)
            return caller ??= WriteCaller(null, Role, Subject, ClaimsJson, Writer);
        if (!callersOfFixedRoles.TryGetValue(fixedRole, out var json))
            callersOfFixedRoles[fixedRole] = json = WriteCaller(fixedRole, Role, Subject, ClaimsJson);
        return json;
    }

    /// <summary>
    /// The caller of events, as the inbox stores it: <c>{role, fixed, writer, sub, claims}</c>. The event records that the trigger set the
    /// role, because the trigger may have changed or been dropped by the time of delivery, and the function's option <c>role</c> must not
    /// override it then.
    /// </summary>
    public static string WriteCaller(string? fixedRole, string writersRole, string? subject, string? claimsJson, string? writer = null) =>
        $$"""{"role":{{JsonSerializer.Serialize(fixedRole ?? writersRole)}},{{(fixedRole is null ? "" : "\"fixed\":true,")}}{{(writer is null ? "" : $"\"writer\":{JsonSerializer.Serialize(writer)},")}}"sub":{{JsonSerializer.Serialize(subject)}},"claims":{{claimsJson ?? "null"}}}""";

    /// <summary>Reads a message, if the database signed it for this transaction.</summary>
    /// <param name="content">64 hexadecimal digits of HMAC-SHA256, then JSON.</param>
    /// <param name="key">The database's key, <see cref="ContextKey"/>.</param>
    /// <param name="xid">The transaction's id, its lower 32 bits.</param>
    /// <returns>Null if the database did not write the message.</returns>
    public static CapturedContext? Verify(ReadOnlySpan<byte> content, ReadOnlySpan<byte> key, uint xid)
    {
        if (!SignedMessage.TryVerify(content, key, Domain, out var json))
            return null;
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
        if ((uint)ulong.Parse(context.GetProperty("xid"u8).GetString()!, CultureInfo.InvariantCulture) != xid)
            return null;
        return new CapturedContext(
            context.GetProperty("role"u8).GetString()!,
            context.TryGetProperty("sub"u8, out var sub) ? sub.GetString() : null,
            context.TryGetProperty("claims"u8, out var claims) && claims.ValueKind == JsonValueKind.Object ? claims.GetRawText() : null,
            (short)(context.TryGetProperty("depth"u8, out var depth) ? Math.Min(depth.GetInt32(), short.MaxValue) : 0)
        )
        {
            Writer = context.TryGetProperty("writer"u8, out var writer) ? writer.GetString() : null,
        };
    }
}
