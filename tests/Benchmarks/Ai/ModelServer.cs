using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Benchmarks.Ai;

/// <summary>A provider in OpenAI's format that gives the same short answer at once, whole or as a stream.</summary>
internal sealed class ModelServer : IAsyncDisposable
{
    private static readonly byte[] Whole = Encoding.UTF8.GetBytes(
        """
        {"id":"c","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Good day."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}
        """
    );

    private static readonly byte[] Chunk = Encoding.UTF8.GetBytes(
        """
        data: {"id":"c","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Good day."},"finish_reason":null}]}


        """
    );

    private static readonly byte[] End = Encoding.UTF8.GetBytes(
        """
        data: {"id":"c","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

        data: [DONE]


        """
    );

    private readonly WebApplication app;

    private ModelServer(WebApplication app) => this.app = app;

    /// <summary>Its address without a path.</summary>
    public string Url => app.Urls.First();

    /// <summary>Starts one on a free port.</summary>
    public static async Task<ModelServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(AnswerAsync);
        await app.StartAsync();
        return new ModelServer(app);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    private static async Task AnswerAsync(HttpContext context)
    {
        using var request = new MemoryStream();
        await context.Request.Body.CopyToAsync(request, context.RequestAborted);
        var body = context.Response.Body;
        if (request.GetBuffer().AsSpan(0, (int)request.Length).IndexOf("\"stream\":true"u8) < 0)
        {
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = Whole.Length;
            await body.WriteAsync(Whole, context.RequestAborted);
            return;
        }
        context.Response.ContentType = "text/event-stream";
        await body.WriteAsync(Chunk, context.RequestAborted);
        await body.FlushAsync(context.RequestAborted);
        await body.WriteAsync(End, context.RequestAborted);
    }
}
