using System.Reflection;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.Tracing;
using OpenTelemetry;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Functions.PgSidecar;

/// <summary>
/// Sends spans to a collector by OTLP. It is configured by the variables that OpenTelemetry specifies for every SDK:
/// <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>, <c>_PROTOCOL</c>, <c>_HEADERS</c>, <c>OTEL_TRACES_SAMPLER</c> and so on. A collector that does not
/// answer delays no invocation: what it does not take is dropped. The end of the process waits for it for 5 s at most.
/// </summary>
internal sealed class TraceExporter(SidecarIdentity identity) : IHostedService, IDisposable
{
    private TracerProvider? provider;

    /// <summary>Whether the environment names a collector.</summary>
    public static bool IsWanted() =>
        (IsSet("OTEL_EXPORTER_OTLP_ENDPOINT") || IsSet("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
        && !string.Equals(Environment.GetEnvironmentVariable("OTEL_SDK_DISABLED"), "true", StringComparison.OrdinalIgnoreCase)
        && (Environment.GetEnvironmentVariable("OTEL_TRACES_EXPORTER") is null or "" or "otlp");

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        var version = typeof(TraceExporter).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
        provider = Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(
                ResourceBuilder
                    .CreateEmpty()
                    .AddService("pgfn", serviceVersion: version, serviceInstanceId: identity.Id.ToString())
                    .AddTelemetrySdk()
                    .AddEnvironmentVariableDetector()
            )
            .AddSource(Spans.SourceName)
            .AddOtlpExporter()
            .Build();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        provider?.Dispose();
        provider = null;
    }

    private static bool IsSet(string name) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name));
}
