namespace Functions.PgSidecar.Core;

/// <summary>
/// A failure that its reader can act on: a stable code, the HTTP status it maps to, and a sentence that says what to do.
/// </summary>
/// <remarks>
/// The first digit of a code names the part that speaks: PGFN0nnn database, 1 request, 2 registry, 3 auth, 4 sandbox, 5 binding, 6
/// replication. The message reaches callers and logs, so it never carries a token, a secret or a connection string.
/// </remarks>
internal sealed class SidecarException : Exception
{
    /// <param name="code"><c>PGFN</c> and four digits; never reused for another meaning.</param>
    /// <param name="status">The HTTP status, 400 to 599.</param>
    /// <param name="message">One sentence or two: what happened, and what to do about it.</param>
    public SidecarException(string code, int status, string message)
        : this(code, status, message, innerException: null) { }

    /// <inheritdoc cref="SidecarException(string, int, string)"/>
    /// <param name="innerException">The cause; logged, never shown to a caller.</param>
    public SidecarException(string code, int status, string message, Exception? innerException)
        : base(message, innerException)
    {
        Code = code;
        Status = status;
    }

    /// <summary>The stable code, for example <c>PGFN2422</c>.</summary>
    public string Code { get; }

    /// <summary>The HTTP status that this failure maps to.</summary>
    public int Status { get; }

    /// <summary>When it makes sense to try again, if that is known.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
