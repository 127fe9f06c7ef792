using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Testing.Ai;

/// <summary>A request that a <see cref="ScriptedProvider"/> got.</summary>
/// <param name="Path">Its path.</param>
/// <param name="Headers">Its headers, by names in lower case.</param>
/// <param name="Body">Its body.</param>
public sealed record ScriptedRequest(string Path, IReadOnlyDictionary<string, string> Headers, JsonNode Body);

/// <summary>
/// A provider of models over real HTTP, whose answers the test writes beforehand: in the order of <see cref="Enqueue"/>, then by
/// <see cref="Answer"/>.
/// </summary>
public sealed class ScriptedProvider : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentQueue<ScriptedAnswer> script = new();
    private readonly ConcurrentQueue<ScriptedRequest> requests = new();

    private int aborted;

    private ScriptedProvider(WebApplication app) => this.app = app;

    /// <summary>Answers requests for which nothing is enqueued.</summary>
    public Func<ScriptedRequest, ScriptedAnswer> Answer { get; set; } = static _ => OpenAiAnswers.Chat("hello");

    /// <summary>Its address without a path.</summary>
    public string Url => app.Urls.First();

    /// <summary>The requests so far.</summary>
    public IReadOnlyList<ScriptedRequest> Requests => [.. requests];

    /// <summary>How many requests their client broke off.</summary>
    public int AbortedCount => Volatile.Read(ref aborted);

    /// <summary>Starts one on a free port.</summary>
    public static async Task<ScriptedProvider> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var provider = new ScriptedProvider(app);
        app.Run(provider.ServeAsync);
        await app.StartAsync();
        return provider;
    }

    /// <summary>Adds the next answers.</summary>
    public void Enqueue(params ScriptedAnswer[] answers)
    {
        foreach (var answer in answers)
            script.Enqueue(answer);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await app.StopAsync(soon.Token);
        await app.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext context)
    {
        var body = await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        var request = new ScriptedRequest(
            context.Request.Path,
            context.Request.Headers.ToDictionary(static header => header.Key.ToLowerInvariant(), static header => header.Value.ToString()),
            body!
        );
        requests.Enqueue(request);
        var answer = script.TryDequeue(out var next) ? next : Answer(request);
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        foreach (var (name, value) in answer.Headers)
            context.Response.Headers[name] = value;
        try
        {
            for (var i = 0; i <= answer.Pieces.Count; i++)
            {
                if (answer.Hold is { } hold && hold.Piece == i)
                    await hold.Until.WaitAsync(context.RequestAborted);
                if (i == answer.Pieces.Count)
                    break;
                await context.Response.Body.WriteAsync(answer.Pieces[i], context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
            if (answer.IsCut)
                context.Abort();
        }
        catch (OperationCanceledException)
        {
            Interlocked.Increment(ref aborted);
        }
    }
}
