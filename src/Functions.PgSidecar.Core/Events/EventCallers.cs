using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Postgres.Sessions;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Whose work an event is, read from what the inbox keeps. The same few callers come again and again.</summary>
internal sealed class EventCallers
{
    private const int MaxKnown = 1000;

    /// <summary>Deeper than the database takes claims, whose stack is the limit.</summary>
    private const int MaxDepth = 1_000_000;

    /// <summary>Whose an event of a superuser or the installation's owner is.</summary>
    private static readonly EventCaller Owner = new(new Caller(CallerContext.ServiceRole, null, "null"u8.ToArray(), null), false);

    private readonly ConcurrentDictionary<string, EventCaller> known = new(StringComparer.Ordinal);

    /// <summary>The caller of <c>{role, fixed, writer, sub, claims}</c>; the service role for an event of a superuser or the owner, which has none.</summary>
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
            root.TryGetProperty("sub"u8, out var sub) ? sub.GetString() : null, Encoding.UTF8.GetBytes(claims), null)
        {
            Writer = root.TryGetProperty("writer"u8, out var writer) ? writer.GetString() : null,
        };
        return new EventCaller(caller, root.TryGetProperty("fixed"u8, out var isFixed) && isFixed.ValueKind == JsonValueKind.True);
    }
}

/// <summary>Whose work an event is.</summary>
/// <param name="Caller">Whose.</param>
/// <param name="RoleIsFixed">The trigger chose the role: the function's own option does not replace it.</param>
internal sealed record EventCaller(Caller Caller, bool RoleIsFixed);
