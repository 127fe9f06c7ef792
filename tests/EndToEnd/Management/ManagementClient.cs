using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Management;

/// <summary>Calls management endpoints of a sidecar.</summary>
internal sealed class ManagementClient(SidecarFixture sidecar, HttpClient? http = null)
{
    // A command that does nothing.
    // csharpier-ignore
    private static readonly byte[] Module =
    [
        0x00, 0x61, 0x73, 0x6D, 1, 0, 0, 0, // "\0asm", version 1
        1, 4, 1, 0x60, 0, 0, // types: a function without parameters and results
        3, 2, 1, 0, // functions: one
        7, 10, 1, 6, .. "_start"u8, 0, 0, // exports
        10, 4, 1, 2, 0, 0x0B, // code
    ];

    private static int names;

    /// <summary>A name that no other test has.</summary>
    public static string NewName() => $"managed{Interlocked.Increment(ref names)}";

    /// <summary>Creates a key.</summary>
    public async Task<string> CreateKeyAsync(string scopes, string options = "{}", string? name = null)
    {
        await using var command = sidecar.Database.Owner.CreateCommand("select functions.create_api_key($1, $2::text[], $3::jsonb)");
        command.Parameters.AddWithValue(name ?? NewName());
        command.Parameters.AddWithValue(scopes);
        command.Parameters.AddWithValue(options);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Sends a request; the path begins below <c>/functions/v1/</c>.</summary>
    public async Task<Answer> SendAsync(string method, string path, string? credential, string? body = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), "/functions/v1/" + path);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        // A body that is refused for its length is not sent, so that the answer comes before the connection is closed.
        request.Headers.ExpectContinue = body?.Length > 1 << 20;
        if (credential is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", credential);
        using var response = await (http ?? sidecar.Http).SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return new Answer((int)response.StatusCode, text.Length == 0 ? null : JsonNode.Parse(text));
    }

    /// <summary>Deploys a module that does nothing, and waits until it is compiled.</summary>
    public async Task<(int Status, string Code, string Message)> DeployAsync(
        string function,
        string? config = null,
        string? bearer = null,
        string? managementKey = null
    )
    {
        using var content = new MultipartFormDataContent
        {
            { new StringContent(function), "name" },
            { new ByteArrayContent(Module), "wasm", "module.wasm" },
        };
        if (config is not null)
            content.Add(new StringContent(config), "config");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/deploy") { Content = content };
        if (bearer is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bearer);
        if (managementKey is not null)
            request.Headers.Add("X-API-Key", managementKey);
        using var response = await (http ?? sidecar.Http).SendAsync(request);
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        return ((int)response.StatusCode, (string?)answer["code"] ?? "", (string?)answer["message"] ?? "");
    }

    /// <summary>What was answered.</summary>
    internal sealed record Answer(int Status, JsonNode? Body)
    {
        /// <summary>Status and code, of an error.</summary>
        public (int Status, string? Code) Refusal => (Status, (string?)Body?["code"]);

        /// <summary>The body of a request that succeeded.</summary>
        public JsonNode Ok(int status = 200)
        {
            Assert.True(Status == status, $"{Status}: {Body?.ToJsonString()}");
            return Body ?? new JsonObject();
        }

        /// <summary>The member <paramref name="member"/> of each item of a list.</summary>
        public IReadOnlyList<string?> Items(string member = "name") => [.. Ok()["items"]!.AsArray().Select(item => (string?)item![member])];
    }
}
