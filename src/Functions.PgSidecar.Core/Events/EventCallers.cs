using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Postgres.Sessions;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// Reads the callers of events from the inbox's JSON. Parsed callers are cached, because the same few occur again and again.
/// </summary>
internal sealed class EventCallers
{
    private const int MaxKnown = 1000;

    /// <summary>Deeper than the database accepts in claims, where the stack limits the depth.</summary>
    private const int MaxDepth = 1_000_000;

    /// <summary>The caller of events that were caused by a superuser or the installation's owner.</summary>
    private static readonly EventCaller Owner = new(new Caller(CallerContext.ServiceRole, null, "null"u8.ToArray(), null), false);

    private readonly ConcurrentDictionary<string, EventCaller> known = new(StringComparer.Ordinal);

    /// <summary>
    /// The caller in <c>{role, fixed, writer, sub, claims}</c>; null, for an event of a superuser or the owner, is the service role.
    /// </summary>
    public EventCaller Find(string? json)
    {
        if (json is null)
            return Owner;
        if (known.TryGetValue(json, out var caller))
            return caller;
        if (known.Count >= MaxKnown)
            known.Clear();
        return known[json] = Parse(json);
    }

    private static EventCaller Parse(string json)
    {
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth });
        var root = document.RootElement;
        var claims = root.TryGetProperty("claims"u8, out var given) ? given.GetRawText() : "null";
        var caller = new Caller(
            root.TryGetProperty("role"u8, out var role) && role.GetString() is { } name ? name : CallerContext.ServiceRole,
            root.TryGetProperty("sub"u8, out var sub) ? sub.GetString() : null,
            Encoding.UTF8.GetBytes(claims),
            null
        )
        {
            Writer = root.TryGetProperty("writer"u8, out var writer) ? writer.GetString() : null,
        };
        return new EventCaller(caller, root.TryGetProperty("fixed"u8, out var isFixed) && isFixed.ValueKind == JsonValueKind.True);
    }
}

/// <summary>The caller of an event.</summary>
/// <param name="Caller">The caller.</param>
/// <param name="RoleIsFixed">Whether the trigger sets the role; if so, the function's own option does not override it.</param>
internal sealed record EventCaller(Caller Caller, bool RoleIsFixed);
