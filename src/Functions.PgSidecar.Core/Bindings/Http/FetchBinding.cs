using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>
/// The operations <c>fetch</c>, behind the globals <c>fetch</c> and <c>http.fetch</c>, and <c>fetch.read</c> and <c>fetch.cancel</c> for bodies that are not short.
/// </summary>
internal sealed class FetchBinding(OutboundHttp http) : IBinding
{
    /// <inheritdoc/>
    public string Name => "fetch";

    /// <inheritdoc/>
    public IBindingSession Open(Invocation invocation) => new FetchSession(http, invocation);
}
