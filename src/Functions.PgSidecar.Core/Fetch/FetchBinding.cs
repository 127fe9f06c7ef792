using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>
/// The operation <c>fetch</c>, behind the globals <c>fetch</c> and <c>http.fetch</c>, and <c>fetch.read</c> and <c>fetch.cancel</c> for
/// long response bodies.
/// </summary>
internal sealed class FetchBinding(OutboundHttp http) : IBinding
{
    /// <inheritdoc/>
    public string Name => "fetch";

    /// <inheritdoc/>
    public BindingSession Open(Invocation invocation) => new FetchSession(http, invocation);
}
