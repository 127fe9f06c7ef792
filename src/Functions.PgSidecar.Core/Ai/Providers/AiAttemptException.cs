using Functions.PgSidecar.Core.Ai.Definitions;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>Why one attempt at a provider failed.</summary>
internal enum AiAttemptFailure
{
    /// <summary>It can't be reached, or the connection broke before the answer.</summary>
    Unreachable,

    /// <summary>It limits requests: 429.</summary>
    Limited,

    /// <summary>It failed: 5xx, with Anthropic's 529.</summary>
    Failed,

    /// <summary>It took too long.</summary>
    TimedOut,

    /// <summary>Its answer can't be read.</summary>
    Unreadable,

    /// <summary>Its answer is larger than is read.</summary>
    TooLarge,

    /// <summary>It does not know the credentials: 401, 403.</summary>
    Credentials,

    /// <summary>It does not have the model, or another path: 404, 3xx and other statuses.</summary>
    Missing,

    /// <summary>It refuses the request itself: 400, 413, 422.</summary>
    Refused,

    /// <summary>It was not asked, because it failed repeatedly just before.</summary>
    Paused,
}

/// <summary>An attempt at a provider failed, and its answer has not begun.</summary>
internal sealed class AiAttemptException(AiAttemptFailure failure, SidecarException explained, Exception? cause = null)
    : Exception(explained.Message, cause)
{
    /// <summary>Why.</summary>
    public AiAttemptFailure Failure => failure;

    /// <summary>What the caller learns, if this was the last attempt.</summary>
    public SidecarException Explained => explained;

    /// <summary>When the provider wants to be asked again, if it said so.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether it makes sense to ask the same provider again.</summary>
    public bool IsPassing => failure is AiAttemptFailure.Unreachable or AiAttemptFailure.Limited or AiAttemptFailure.Failed;

    /// <summary>Whether another provider may do better. A request that one refuses is not tried at the next.</summary>
    public bool MayFallBack => failure is not AiAttemptFailure.Refused;

    /// <summary>Whether it is a sign that the provider is broken, and not only busy or asked for the wrong thing.</summary>
    public bool IsBreakage => failure is AiAttemptFailure.Unreachable or AiAttemptFailure.Failed or AiAttemptFailure.TimedOut;

    /// <summary>An answer with a status that is not 2xx.</summary>
    /// <param name="provider">Who answered.</param>
    /// <param name="status">The status.</param>
    /// <param name="reason">The message in the answer, with credentials removed; empty if there is none.</param>
    /// <param name="retryAfter">From the headers.</param>
    public static AiAttemptException OfStatus(AiProvider provider, int status, string reason, TimeSpan? retryAfter)
    {
        var failure = status switch
        {
            429 => AiAttemptFailure.Limited,
            >= 500 or 408 => AiAttemptFailure.Failed,
            401 or 403 => AiAttemptFailure.Credentials,
            400 or 413 or 422 => AiAttemptFailure.Refused,
            _ => AiAttemptFailure.Missing,
        };
        var said = reason.Length == 0 ? $"status {status}." : $"status {status}, {reason}";
        var explained = failure switch
        {
            AiAttemptFailure.Limited => AiErrors.Limited(provider.Name, retryAfter),
            AiAttemptFailure.Refused => AiErrors.Refused(provider.Name, said),
            // What a provider says about a key quotes a part of it.
            AiAttemptFailure.Credentials => AiErrors.ProviderFailed(
                provider.Name,
                $"it refuses the credentials ({status}); functions.set_ai_provider sets them.",
                null
            ),
            _ => AiErrors.ProviderFailed(provider.Name, said, null),
        };
        return new AiAttemptException(failure, explained) { RetryAfter = retryAfter };
    }

    /// <summary>More bytes than are read.</summary>
    public static AiAttemptException TooLarge(AiProvider provider, long limit, string what) =>
        new(AiAttemptFailure.TooLarge, AiErrors.TooLarge(provider.Name, limit, what));

    /// <summary>No answer at all.</summary>
    public static AiAttemptException Unreachable(AiProvider provider, Exception cause) =>
        new(
            AiAttemptFailure.Unreachable,
            AiErrors.ProviderFailed(provider.Name, "it can't be reached, or closed the connection.", cause),
            cause
        );
}
