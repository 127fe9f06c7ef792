using System.Data.Common;
using System.Globalization;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.RowChanges.Reading;
using Npgsql;

namespace Functions.PgSidecar.Http;

/// <summary>
/// <c>/health/live</c>: the process responds. <c>/health/ready</c>: it can serve functions, the database is available, and row changes fire
/// functions.
/// </summary>
internal static class HealthEndpoints
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    /// <summary>Adds the routes.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", static context => WriteAsync(context, StatusCodes.Status200OK, "live"));
        routes.MapGet("/health/ready", ReadyAsync);
    }

    private static async Task ReadyAsync(HttpContext context)
    {
        if (context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested)
        {
            await Problem.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "PGFN6505", "this sidecar is stopping");
            return;
        }
        var database = context.RequestServices.GetRequiredService<NpgsqlDataSource>();
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        timeout.CancelAfter(Timeout);
        try
        {
            await using var command = database.CreateCommand("select 1");
            await command.ExecuteNonQueryAsync(timeout.Token);
            if (context.RequestServices.GetRequiredService<EventMetrics>().Incident is { } incident)
            {
                await Problem.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "PGFN6503", incident);
                return;
            }
            if (context.RequestServices.GetRequiredService<WalReaderHealth>().Complaint is { } complaint)
            {
                await Problem.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "PGFN6504", complaint, retryAfter: 1);
                return;
            }
            var metrics = context.RequestServices.GetRequiredService<EventMetrics>();
            await WriteAsync(
                context,
                StatusCodes.Status200OK,
                "ready",
                Member("held_events", metrics.Figures.Held) + Member("broken_triggers", metrics.BrokenTriggers)
            );
        }
        catch (Exception e) when (e is DbException or OperationCanceledException)
        {
            await Problem.DatabaseUnavailableAsync(context);
        }
    }

    /// <summary>A member for something that needs attention but does not make the sidecar unready; nothing for 0.</summary>
    private static string Member(string name, long count) =>
        count > 0 ? string.Create(CultureInfo.InvariantCulture, $",\"{name}\":{count}") : "";

    private static Task WriteAsync(HttpContext context, int status, string word, string more = "")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync($$"""{"status":"{{word}}"{{more}}}""", context.RequestAborted);
    }
}
