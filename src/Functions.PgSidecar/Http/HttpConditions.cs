using Functions.PgSidecar.Core.Storage;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace Functions.PgSidecar.Http;

/// <summary>What follows from the conditions of a request for an object.</summary>
internal enum HttpConditionResult
{
    /// <summary>It is sent.</summary>
    Holds,

    /// <summary>The client has it already: 304.</summary>
    NotModified,

    /// <summary>It is not the one that the client means: 412.</summary>
    Failed,
}

/// <summary>Evaluates the conditions of a request (RFC 9110, 13.2.2), in whole seconds, as headers state times.</summary>
internal static class HttpConditions
{
    /// <summary>Evaluates those of a download.</summary>
    public static HttpConditionResult Check(RequestHeaders headers, ObjectHead head)
    {
        var uploaded = Seconds(head.Uploaded);
        if (headers.IfMatch is { Count: > 0 } expected)
        {
            if (!expected.Any(tag => Matches(tag, head, isWeakEnough: false)))
                return HttpConditionResult.Failed;
        }
        else if (headers.IfUnmodifiedSince is { } before && uploaded > Seconds(before))
        {
            return HttpConditionResult.Failed;
        }
        if (headers.IfNoneMatch is { Count: > 0 } known)
            return known.Any(tag => Matches(tag, head, isWeakEnough: true)) ? HttpConditionResult.NotModified : HttpConditionResult.Holds;
        return headers.IfModifiedSince is { } since && uploaded <= Seconds(since)
            ? HttpConditionResult.NotModified
            : HttpConditionResult.Holds;
    }

    /// <summary>Whether a range may be sent: If-Range names the present object, or is not there.</summary>
    public static bool PermitsRange(RequestHeaders headers, ObjectHead head) =>
        headers.IfRange switch
        {
            null => true,
            { EntityTag: { } tag } => Matches(tag, head, isWeakEnough: false),
            { LastModified: { } time } => Seconds(time) == Seconds(head.Uploaded),
            _ => false,
        };

    private static bool Matches(EntityTagHeaderValue tag, ObjectHead head, bool isWeakEnough) =>
        tag.Tag == "*" || (tag.Tag == $"\"{head.ETag}\"" && (isWeakEnough || !tag.IsWeak));

    private static long Seconds(DateTimeOffset time) => time.ToUnixTimeSeconds();
}
