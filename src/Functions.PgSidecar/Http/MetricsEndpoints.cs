using Functions.PgSidecar.Core.Metrics;

namespace Functions.PgSidecar.Http;

/// <summary><c>/metrics</c> in Prometheus' text format 0.0.4.</summary>
internal static class MetricsEndpoints
{
    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        // Created here, before the first invocation, because it counts from its creation on.
        var report = routes.ServiceProvider.GetRequiredService<MetricsReport>();
        routes.MapGet("/metrics", async context =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            await context.Response.WriteAsync(report.Write(), context.RequestAborted);
        });
    }
}
