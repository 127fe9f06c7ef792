using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Modules;

/// <summary><c>POST /functions/v1/deploy</c>.</summary>
public sealed class HttpDeployTests(SidecarFixture sidecar) : IAsyncLifetime
{
    private string key = null!;

    /// <summary>A command that does nothing.</summary>
    private static readonly byte[] Quiet =
    [
        0x00,
        0x61,
        0x73,
        0x6D,
        1,
        0,
        0,
        0,
        1,
        4,
        1,
        0x60,
        0,
        0,
        3,
        2,
        1,
        0,
        7,
        10,
        1,
        6,
        .. "_start"u8,
        0,
        0,
        10,
        4,
        1,
        2,
        0,
        0x0B,
    ];

    public async ValueTask InitializeAsync() =>
        key = await sidecar.Database.ScalarAsync<string>(
            $"select functions.create_api_key('http deploy tests {Guid.NewGuid()}', '{{deploy}}')"
        );

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Module_is_ready_when_the_response_arrives_and_a_second_one_is_a_new_version()
    {
        using var first = await DeployAsync("http-one", Quiet, """{"verify_jwt":false}""", key);
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        var answer = JsonNode.Parse(await first.Content.ReadAsStringAsync())!;
        Assert.Equal(("http-one", 1, "http-one@1"), ((string)answer["name"]!, (int)answer["version"]!, (string)answer["id"]!));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Quiet)), (string)answer["wasm_hash"]!);
        using var call = await sidecar.SendAsync(HttpMethod.Get, "http-one", null, token: null);
        Assert.Equal("null", await call.Content.ReadAsStringAsync());
        using var second = await DeployAsync("http-one", Quiet, null, key);
        Assert.Equal(2, (int)JsonNode.Parse(await second.Content.ReadAsStringAsync())!["version"]!);
    }

    [Theory]
    [InlineData("Not A Name", null)]
    [InlineData("http-invalid", "{\"memory_mb\":1}")]
    [InlineData("http-invalid", "no json")]
    [InlineData("http-invalid", "{\"a\":\"\\u0000\"}")]
    public async Task Invalid_requests_get_400(string name, string? config)
    {
        using var response = await DeployAsync(name, Quiet, config, key);
        Assert.Equal((400, "VALIDATION_ERROR"), await ReadAsync(response));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# A text")]
    [InlineData("(module)")]
    public async Task Bytes_that_are_not_a_module_get_400(string content)
    {
        using var response = await DeployAsync("http-none", Encoding.UTF8.GetBytes(content), null, key);
        Assert.Equal((400, "VALIDATION_ERROR"), await ReadAsync(response));
    }

    [Fact]
    public async Task Invalid_module_gets_400_with_its_byte_offset()
    {
        using var response = await DeployAsync("http-broken", [.. Quiet[..^1], 0x1A], null, key);
        var problem = await response.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Matches(@"http-broken\.wasm: .*\(at byte \d+\)", (string)JsonNode.Parse(problem)!["message"]!);
    }

    [Fact]
    public async Task Module_beyond_the_size_limit_gets_413()
    {
        using var large = await DeployAsync("http-large", [.. Quiet, .. new byte[10 << 20]], null, key);
        Assert.Equal((413, "PAYLOAD_TOO_LARGE"), await ReadAsync(large));
    }

    [Fact]
    public async Task Error_names_the_missing_parts_of_a_request()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/deploy")
        {
            Content = new MultipartFormDataContent { { new StringContent("x"), "name" } },
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var response = await sidecar.Http.SendAsync(request);
        Assert.Equal((400, "MISSING_REQUIRED"), await ReadAsync(response));
        using var other = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/deploy") { Content = new StringContent("{}") };
        other.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var refused = await sidecar.Http.SendAsync(other);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, refused.StatusCode);
    }

    [Fact]
    public async Task More_deployments_at_once_than_the_sidecar_has_connections_all_succeed()
    {
        // A custom section of its own makes each another module, which is compiled.
        var answers = Enumerable
            .Range(0, 30)
            .Select(n => DeployAsync($"http-many-{n}", [.. Quiet, 0, 2, 1, (byte)('a' + n)], """{"verify_jwt":false}""", key));
        foreach (var answer in await Task.WhenAll(answers))
        {
            Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
            answer.Dispose();
        }
    }

    private static async Task<(int Status, string Code)> ReadAsync(HttpResponseMessage response) =>
        ((int)response.StatusCode, (string)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["code"]!);

    private async Task<HttpResponseMessage> DeployAsync(string name, byte[] module, string? config, string? token)
    {
        using var content = new MultipartFormDataContent
        {
            { new StringContent(name), "name" },
            { new ByteArrayContent(module), "wasm", "module.wasm" },
        };
        if (config is not null)
            content.Add(new StringContent(config), "config");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/deploy") { Content = content };
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await sidecar.Http.SendAsync(request);
    }
}
