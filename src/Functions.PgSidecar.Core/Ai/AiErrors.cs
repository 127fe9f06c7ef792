using System.Globalization;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>The failures of calls to models.</summary>
internal static class AiErrors
{
    /// <summary>What the codes of all of them begin with.</summary>
    public const string CodePrefix = "PGFN51";

    /// <summary>The code of a limit of <c>functions.limit_ai</c> that is reached.</summary>
    public const string LimitCode = "PGFN5103";

    public static SidecarException NoRoute(string model) =>
        new(
            "PGFN5101",
            404,
            $"No provider is set for the model '{Shorten(model)}'. functions.set_ai_provider sets one, functions.set_ai_route maps names of "
                + "models to it."
        );

    public static SidecarException Forbidden(string role, string model) =>
        new("PGFN5102", 403, $"The role {role} may not use the model '{Shorten(model)}' (option roles of functions.set_ai_route).");

    public static SidecarException LimitReached(string limit, DateTimeOffset ends, TimeSpan wait) =>
        new(
            LimitCode,
            429,
            string.Create(CultureInfo.InvariantCulture, $"The limit of {limit} is reached; it ends at {ends:yyyy-MM-ddTHH:mm:ssZ}.")
        )
        {
            RetryAfter = wait,
        };

    public static SidecarException NoPrice(string model) =>
        new(
            "PGFN5104",
            403,
            $"The caller has a limit of money, and the model '{Shorten(model)}' has no price. functions.set_ai_price sets one."
        );

    public static SidecarException ProviderFailed(string provider, string reason, Exception? cause) =>
        new("PGFN5105", 502, $"The provider '{provider}' failed: {reason}", cause);

    public static SidecarException TimedOut(string provider, TimeSpan limit, string what) =>
        new(
            "PGFN5106",
            504,
            string.Create(
                CultureInfo.InvariantCulture,
                $"The provider '{provider}' sent no {what} within {limit.TotalMilliseconds:0} ms (functions.set_ai_provider)."
            )
        );

    public static SidecarException CallTimedOut(TimeSpan limit) =>
        new("PGFN5106", 504, string.Create(CultureInfo.InvariantCulture, $"The call took longer than its {limit.TotalMilliseconds:0} ms."));

    public static SidecarException Cut(string provider, Exception? cause) =>
        new("PGFN5107", 502, $"The provider '{provider}' ended the answer before it was complete.", cause);

    public static SidecarException Unreadable(string provider, Exception? cause) =>
        new("PGFN5108", 502, $"The provider '{provider}' sent an answer that can't be read.", cause);

    public static SidecarException Refused(string provider, string reason) =>
        new("PGFN5109", 400, $"The provider '{provider}' refused the request: {reason}");

    public static SidecarException Limited(string provider, TimeSpan? retryAfter) =>
        new("PGFN5110", 429, $"The provider '{provider}' limits the requests (429).") { RetryAfter = retryAfter };

    public static SidecarException Paused(string provider, TimeSpan retryAfter) =>
        new("PGFN5111", 503, $"The provider '{provider}' failed repeatedly and is not asked for a few seconds.")
        {
            RetryAfter = retryAfter,
        };

    public static SidecarException InvalidOption(string message) => new("PGFN5112", 400, message);

    public static SidecarException NotSupported(string provider, string what) =>
        new("PGFN5113", 400, $"The provider '{provider}' has no {what}.");

    public static SidecarException Held(string provider) =>
        new(
            "PGFN5114",
            403,
            $"This database is a copy, and the provider '{provider}' is the original's: functions.adopt('deliver') if the original is gone, "
                + "else functions.set_ai_provider with credentials of the copy's own."
        );

    public static SidecarException TooLarge(string provider, long limit, string what) =>
        new(
            "PGFN5115",
            502,
            string.Create(
                CultureInfo.InvariantCulture,
                $"The provider '{provider}' sent more than {limit >> 20} MiB as {what}, and the rest was not read."
            )
        );

    private static string Shorten(string text) => text.Length <= 80 ? text : text[..80] + "...";
}
