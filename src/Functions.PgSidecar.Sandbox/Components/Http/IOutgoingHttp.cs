using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>Sends the requests of components: what is behind <c>wasi:http/outgoing-handler</c>.</summary>
public interface IOutgoingHttp
{
    /// <summary>Sends a request, and waits for the head of its response on the component's thread.</summary>
    /// <param name="request">The request, which the component wrote. Redirects are not followed.</param>
    /// <param name="operations">Runs operations for the component.</param>
    HttpReply Send(HttpCall request, IOperations operations);
}

/// <summary>A request of a component.</summary>
/// <param name="Method">The method.</param>
/// <param name="Url">The URL.</param>
/// <param name="Headers">Names and values, whose characters are bytes.</param>
/// <param name="Body">The body; empty if it has none.</param>
public sealed record HttpCall(string Method, string Url, IEnumerable<(string Name, string Value)> Headers, ReadOnlyMemory<byte> Body);

/// <summary>The response to a request of a component, or why there is none.</summary>
public sealed record HttpReply
{
    /// <summary>Why there is no response; <see langword="null"/> if there is one.</summary>
    public HttpFailure? Failure { get; init; }

    /// <summary>The status.</summary>
    public ushort Status { get; init; }

    /// <summary>Names and values, whose characters are bytes.</summary>
    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    /// <summary>The body, or its first bytes.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>
    /// Waits for the next bytes of the body: none at its end, <see langword="null"/> if it ended before it was complete. Without this,
    /// <see cref="Body"/> is all of it.
    /// </summary>
    public Func<ReadOnlyMemory<byte>?>? ReadMore { get; init; }

    /// <summary>Gives up what <see cref="ReadMore"/> would read.</summary>
    public Action? Cancel { get; init; }
}

/// <summary>Why a request of a component has no response.</summary>
/// <param name="Kind">The kind of failure.</param>
/// <param name="Message">What happened.</param>
public sealed record HttpFailure(HttpFailureKind Kind, string Message);

/// <summary>Kinds of <see cref="HttpFailure"/>.</summary>
public enum HttpFailureKind
{
    /// <summary>Any other.</summary>
    Failed,

    /// <summary>The component may not send it.</summary>
    Denied,

    /// <summary>The response did not arrive in time.</summary>
    TimedOut,
}
