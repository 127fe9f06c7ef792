using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Benchmarks.Http;

/// <summary>The handler of json.js in C#, with nothing around it but Kestrel: what HTTP itself costs.</summary>
internal static partial class KestrelServer
{
    /// <summary>Serves until the process is told to end.</summary>
    public static async Task ServeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapPost("/", static async context =>
        {
            var question = await context.Request.ReadFromJsonAsync(Messages.Default.Question, context.RequestAborted);
            await context.Response.WriteAsJsonAsync(new Answer(question!.Name, question.Items.Length), Messages.Default.Answer);
        });
        await app.StartAsync();
        Console.WriteLine($"Kestrel serves on {app.Urls.First()}");
        await app.WaitForShutdownAsync();
    }

    private sealed record Question(string Name, int[] Items);

    private sealed record Answer(string Hello, int Length);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
    [JsonSerializable(typeof(Question))]
    [JsonSerializable(typeof(Answer))]
    private sealed partial class Messages : JsonSerializerContext;
}
