using Functions.PgSidecar.Core.Observability;

namespace Functions.PgSidecar.Http;

/// <summary><c>/metrics</c> in Prometheus' text format 0.0.4.</summary>
internal static class MetricsEndpoints
{
    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/metrics", static async context =>
    {
        var report = context.RequestServices.GetRequiredService<MetricsReport>().Write();
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        await context.Response.WriteAsync(report, context.RequestAborted);
    });
}
