using Functions.PgSidecar.Core.Events;
using Npgsql;

namespace Functions.PgSidecar.Http;

/// <summary><c>/health/live</c>: the process answers. <c>/health/ready</c>: it can serve functions, the database included, and row changes fire them.</summary>
internal static class HealthEndpoints
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Adds the routes.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", static context => WriteAsync(context, StatusCodes.Status200OK, "live"));
        routes.MapGet("/health/ready", ReadyAsync);
    }

    private static async Task ReadyAsync(HttpContext context)
    {
        var database = context.RequestServices.GetRequiredService<NpgsqlDataSource>();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        patience.CancelAfter(Patience);
        try
        {
            await using var command = database.CreateCommand("select 1");
            await command.ExecuteNonQueryAsync(patience.Token);
            if (context.RequestServices.GetRequiredService<EventMetrics>().Incident is { } incident)
            {
                await Problem.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "PGFN6503", incident);
                return;
            }
            if (context.RequestServices.GetRequiredService<WalWatch>().Complaint is { } complaint)
            {
                await Problem.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "PGFN6504", complaint, retryAfter: 1);
                return;
            }
            var held = context.RequestServices.GetRequiredService<EventMetrics>().Figures.Held;
            await WriteAsync(context, StatusCodes.Status200OK, "ready", held > 0 ? $",\"held_events\":{held}" : "");
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            await Problem.WriteAsync(
                context, StatusCodes.Status503ServiceUnavailable, "PGFN0503", "The database can't be reached just now.", retryAfter: 1);
        }
    }

    private static Task WriteAsync(HttpContext context, int status, string word, string more = "")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync($$"""{"status":"{{word}}"{{more}}}""", context.RequestAborted);
    }
}
