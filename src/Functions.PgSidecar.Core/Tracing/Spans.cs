using System.Diagnostics;
using System.Globalization;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Tracing;

/// <summary>
/// The spans of OpenTelemetry: one for each invocation, and in it one for each operation of a binding and each call of a model. Names and
/// attributes are those of the semantic conventions (faas, db, http, gen_ai). Without a listener none is created, which costs a look at a
/// field. Contents are in none: no SQL, keys, URLs, prompts or messages of errors, which the redacted log has.
/// </summary>
internal static class Spans
{
    /// <summary>The name of the source, and of the instrumentation scope.</summary>
    public const string SourceName = "Functions.PgSidecar";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>The caller's span, if a request had a valid <c>traceparent</c>.</summary>
    public static ActivityContext Caller =>
        Source.HasListeners()
        && Activity.Current is { Parent: null, ParentId: { } id } request
        && ActivityContext.TryParse(id, request.TraceStateString, isRemote: true, out var caller)
            ? caller
            : default;

    /// <summary>Begins the span of an invocation.</summary>
    public static Activity? Begin(Invocation invocation)
    {
        if (!Source.HasListeners())
            return null;
        var span = Start(invocation.Function.Name, ActivityKind.Server, invocation.CallingSpan, default);
        if (span is { IsAllDataRequested: true })
        {
            span.SetTag("faas.trigger", FaasTrigger(invocation.Trigger));
            span.SetTag("faas.invocation_id", invocation.Id.ToString());
            span.SetTag("faas.name", invocation.Function.Name);
            span.SetTag("faas.version", invocation.Function.Version.ToString(CultureInfo.InvariantCulture));
        }
        return span;
    }

    /// <summary>Begins the span of an operation. Reading or writing a part of a body has none, nor has a computation.</summary>
    /// <param name="invocation">The span of the invocation.</param>
    /// <param name="binding">The binding's name.</param>
    /// <param name="operation">The operation's name, which begins with the binding's.</param>
    public static Activity? Begin(Activity? invocation, string binding, string operation)
    {
        if (invocation is not { IsAllDataRequested: true } || !HasSpan(binding, operation))
            return null;
        var span = Start(operation, ActivityKind.Client, invocation.Context, default);
        if (binding is "db" or "cache" or "vectors" or "queue")
            span?.SetTag("db.system.name", "postgresql");
        return span;
    }

    /// <summary>Ends the span of an invocation.</summary>
    public static void End(Activity? span, InvocationResult result)
    {
        if (span is null)
            return;
        if (result.Outcome != InvocationOutcome.Succeeded)
        {
            span.SetTag("error.type", result.Code);
            span.SetStatus(ActivityStatusCode.Error);
        }
        span.Stop();
    }

    /// <summary>Records the span of a call of a model that has ended.</summary>
    /// <param name="call">The call.</param>
    /// <param name="code">The code of its failure; null if it succeeded.</param>
    public static void Record(AiCall call, string? code)
    {
        if (!Source.HasListeners())
            return;
        var span = Start($"{call.Operation} {call.Model}", ActivityKind.Client, call.Caller.Span, call.StartedAt);
        if (span is null)
            return;
        span.SetTag("gen_ai.operation.name", call.Operation);
        span.SetTag("gen_ai.request.model", call.Model);
        span.SetTag("gen_ai.request.stream", call.IsStreamed);
        if (call.Target is { } target)
        {
            span.SetTag("gen_ai.provider.name", target.Provider.Kind.ToString().ToLowerInvariant());
            span.SetTag("gen_ai.response.model", target.Model);
        }
        if (call.Usage is { } usage)
        {
            span.SetTag("gen_ai.usage.input_tokens", usage.InputTokenCount);
            span.SetTag("gen_ai.usage.output_tokens", usage.OutputTokenCount);
        }
        if (call.FirstChunk is { } first)
            span.SetTag("gen_ai.response.time_to_first_chunk", first.TotalSeconds);
        if (code is not null)
        {
            span.SetTag("error.type", code);
            span.SetStatus(ActivityStatusCode.Error);
        }
        span.SetEndTime((call.StartedAt + call.Elapsed).UtcDateTime);
        span.Stop();
    }

    /// <summary>Starts a span that does not become the current one: whose it is, is never decided by the thread.</summary>
    private static Activity? Start(string name, ActivityKind kind, ActivityContext parent, DateTimeOffset start)
    {
        var current = Activity.Current;
        Activity.Current = null;
        try
        {
            return Source.StartActivity(name, kind, parent, startTime: start);
        }
        finally
        {
            Activity.Current = current;
        }
    }

    private static bool HasSpan(string binding, string operation) =>
        binding is "db" or "cache" or "queue" or "vectors" or "storage" or "fetch"
        && !operation.EndsWith(".read", StringComparison.Ordinal)
        && !operation.EndsWith(".write", StringComparison.Ordinal)
        && !operation.EndsWith(".cancel", StringComparison.Ordinal);

    private static string FaasTrigger(TriggerKind kind) =>
        kind switch
        {
            TriggerKind.Http or TriggerKind.Webhook => "http",
            TriggerKind.Database => "datasource",
            TriggerKind.Queue => "pubsub",
            TriggerKind.Schedule => "timer",
            _ => "other",
        };
}
