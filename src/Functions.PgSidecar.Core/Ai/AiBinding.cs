using Functions.PgSidecar.Core.Ai.Wire;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>The operations <c>ai.*</c>: behind <c>env.AI</c> and the global <c>ai</c>.</summary>
internal sealed class AiBinding(AiGateway gateway, OpenAiServer server) : IBinding
{
    /// <inheritdoc/>
    public string Name => "ai";

    /// <inheritdoc/>
    public BindingSession Open(Invocation invocation) => new AiSession(gateway, server, AiCaller.Of(invocation));
}
