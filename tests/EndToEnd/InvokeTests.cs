using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd;

public sealed class InvokeTests(SidecarFixture sidecar)
{
    private const string Alice = "11111111-1111-4111-8111-111111111111";

    [Fact]
    public async Task Handler_gets_the_specified_event_and_its_result_is_the_response()
    {
        var name = await sidecar.DeployAsync(
            """
            export async function handler(event) {
              return { statusCode: 201, headers: { 'x-made-by': 'handler' }, body: JSON.stringify(event) };
            }
            """
        );
        using var response = await sidecar.PostAsync(name + "?a=1&b=2&b=3", """{"key":"value"}""", subject: Alice);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("handler", Assert.Single(response.Headers.GetValues("x-made-by")));
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        var seen = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal("http", (string)seen["trigger"]!);
        Assert.Equal("POST", (string)seen["method"]!);
        Assert.Equal("/functions/v1/invoke/" + name, (string)seen["path"]!);
        Assert.StartsWith("application/json", (string)seen["headers"]!["content-type"]!, StringComparison.Ordinal);
        Assert.Equal("value", (string)seen["body"]!["key"]!);
        Assert.Equal(Alice, (string)seen["user_id"]!);
        Assert.Equal(Assert.Single(response.Headers.GetValues("x-request-id")), (string)seen["request_id"]!);
        Assert.Equal("""{"a":"1","b":["2","3"]}""", seen["query"]!.ToJsonString());
    }

    [Fact]
    public async Task Body_that_is_not_JSON_is_passed_as_text()
    {
        var name = await sidecar.DeployAsync("export const handler = event => ({ seen: event.body });");
        using var response = await sidecar.SendAsync(HttpMethod.Post, name, new StringContent("{not json"), Tokens.For("anon"));
        Assert.Equal("""{"seen":"{not json"}""", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_Workers_module_gets_any_method_and_path_and_its_bodies_are_bytes()
    {
        var name = await sidecar.DeployAsync(
            """
            export default {
              async fetch(request, env, ctx) {
                const url = new URL(request.url);
                const bytes = await request.bytes();
                bytes.reverse();
                return new Response(bytes, {
                  status: 299,
                  headers: [['x-method', request.method], ['x-path', url.pathname], ['x-query', url.search], ['set-cookie', 'a=1'], ['set-cookie', 'b=2']],
                });
              },
            };
            """
        );
        var bytes = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();
        using var response = await sidecar.SendAsync(
            new HttpMethod("PROPFIND"),
            name + "/a/b%20c?q=%C3%A4",
            new ByteArrayContent(bytes),
            Tokens.For("anon")
        );
        Assert.Equal(299, (int)response.StatusCode);
        Assert.Equal("PROPFIND", Assert.Single(response.Headers.GetValues("x-method")));
        Assert.Equal("/a/b%20c", Assert.Single(response.Headers.GetValues("x-path")));
        Assert.Equal("?q=%C3%A4", Assert.Single(response.Headers.GetValues("x-query")));
        Assert.Equal(["a=1", "b=2"], response.Headers.GetValues("set-cookie"));
        Assert.Equal(bytes.Reverse(), await response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Work_in_waitUntil_continues_after_the_response()
    {
        await sidecar.Database.ExecuteAsync(
            "create table if not exists after_response (note text); grant insert on after_response to authenticated"
        );
        var name = await sidecar.DeployAsync(
            """
            export default {
              async fetch(request, env, ctx) {
                ctx.waitUntil((async () => {
                  await new Promise(resolve => setTimeout(resolve, 300));
                  await env.DB.prepare('insert into after_response values (?)').bind('done').run();
                })());
                return new Response('early');
              },
            };
            """
        );
        using var response = await sidecar.PostAsync(name);
        Assert.Equal("early", await response.Content.ReadAsStringAsync());
        Assert.Equal("done", await sidecar.EventuallyAsync<string>("select note from after_response"));
        Assert.Equal(
            "succeeded",
            await sidecar.EventuallyAsync<string>("select status from functions.invocations where function = $1", name)
        );
    }

    [Fact]
    public async Task Missing_or_disabled_function_is_not_found()
    {
        using var unknown = await sidecar.PostAsync("no-such-function");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);

        var name = await sidecar.DeployAsync("export const handler = () => 'here';");
        await sidecar.Database.ExecuteAsync($"select functions.disable('{name}')");
        await UntilAsync(name, HttpStatusCode.NotFound);
        await sidecar.Database.ExecuteAsync($"select functions.enable('{name}')");
        await UntilAsync(name, HttpStatusCode.OK);
        await sidecar.Database.ExecuteAsync($"select functions.drop('{name}')");
        await UntilAsync(name, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task New_version_serves_once_it_is_ready_and_a_rollback_restores_the_old_one()
    {
        var name = await sidecar.DeployAsync("export const handler = () => ({ version: 1 });");
        await sidecar.DeployAsAsync(name, "export const handler = () => ({ version: 2 });");
        await UntilAsync(name, """{"version":2}""");
        await sidecar.Database.ExecuteAsync($"select functions.rollback('{name}')");
        await UntilAsync(name, """{"version":1}""");
    }

    [Fact]
    public async Task Error_is_problem_JSON_with_the_specified_members()
    {
        var name = await sidecar.DeployAsync("export const handler = () => { throw new TypeError('no such thing'); };");
        using var response = await sidecar.PostAsync(name);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal("FUNCTION_ERROR", (string)problem["code"]!);
        Assert.Equal("500 Internal Server Error", (string)problem["error"]!);
        Assert.Equal("no such thing", (string)problem["message"]!);
        Assert.Equal(500, (int)problem["status"]!);
        Assert.Equal(Assert.Single(response.Headers.GetValues("x-request-id")), (string)problem["request_id"]!);
    }

    [Theory]
    [InlineData("async () => { const a = {}; a.a = a; return a; }", "FUNCTION_ERROR")]
    [InlineData("() => 1n", "FUNCTION_ERROR")]
    [InlineData("() => { throw null; }", "FUNCTION_ERROR")]
    [InlineData("() => Promise.reject()", "FUNCTION_ERROR")]
    [InlineData("() => new Promise(() => {})", "FUNCTION_ERROR")]
    [InlineData("() => ({ statusCode: 1000 })", "FUNCTION_ERROR|INVALID_RESPONSE")]
    [InlineData("() => ({ statusCode: 200, headers: { 'a b': 'c' } })", "FUNCTION_ERROR|INVALID_RESPONSE")]
    [InlineData("() => ({ statusCode: 200, headers: { a: 'x\\r\\ny: z' } })", "FUNCTION_ERROR|INVALID_RESPONSE")]
    [InlineData("() => db.query({}, 5)", "FUNCTION_ERROR")]
    [InlineData("() => db.query('select $1', [() => 1])", "FUNCTION_ERROR")]
    [InlineData("() => { Array.prototype.push = null; Object.prototype.toJSON = () => { throw 1 }; return fetch(5n) }", "FUNCTION_ERROR")]
    public async Task Invalid_result_of_a_handler_fails_with_a_clear_error(string handler, string codes)
    {
        var name = await sidecar.DeployAsync($"export const handler = {handler};");
        using var response = await sidecar.PostAsync(name);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Contains((string)problem["code"]!, codes.Split('|'));
        Assert.NotEmpty((string)problem["message"]!);
    }

    [Fact]
    public async Task Handler_can_return_nothing_a_function_or_100_MB()
    {
        var nothing = await sidecar.DeployAsync("export const handler = () => {};");
        using (var response = await sidecar.PostAsync(nothing))
            Assert.True((int)response.StatusCode is 200 or 204);

        var large = await sidecar.DeployAsync(
            "export const handler = () => ({ statusCode: 200, body: 'x'.repeat(100 * 1024 * 1024) });",
            """{"memory_mb":512,"timeout_ms":60000}"""
        );
        using (var response = await sidecar.PostAsync(large))
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(100 * 1024 * 1024, (await response.Content.ReadAsByteArrayAsync()).Length);
        }

        var cramped = await sidecar.DeployAsync(
            "export const handler = () => ({ statusCode: 200, body: 'x'.repeat(100 * 1024 * 1024) });",
            """{"memory_mb":64}"""
        );
        using (var response = await sidecar.PostAsync(cramped))
            Assert.Equal(507, (int)response.StatusCode);
    }

    [Fact]
    public async Task A_thousand_concurrent_requests_are_all_answered()
    {
        var name = await sidecar.DeployAsync("export const handler = event => ({ n: event.body.n });", """{"timeout_ms":120000}""");
        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(n => sidecar.CallAsync(name, $$"""{"n":{{n}}}""")));
        Assert.Equal(Enumerable.Range(0, 1_000), answers.Select(answer => (int)answer!["n"]!));
    }

    [Fact]
    public async Task Unicode_is_preserved_in_both_directions()
    {
        var name = await sidecar.DeployAsync(
            "export const handler = event => ({ echo: event.body.text, length: event.body.text.length, source: 'Grüße, 世界 🎉' });"
        );
        var answer = await sidecar.CallAsync(name, new JsonObject { ["text"] = "na\u0000ïve 🎉 \u2028" }.ToJsonString());
        Assert.Equal("na\u0000ïve 🎉 \u2028", (string)answer!["echo"]!);
        Assert.Equal("Grüße, 世界 🎉", (string)answer["source"]!);
    }

    [Fact]
    public async Task Invalid_UTF8_and_oversized_bodies_and_headers_get_errors()
    {
        var name = await sidecar.DeployAsync(
            "export const handler = event => ({ type: typeof event.body, bytes: event.bytes().length });",
            """{"timeout_ms": 60000}"""
        );
        using (
            var response = await sidecar.SendAsync(
                HttpMethod.Post,
                name,
                new ByteArrayContent([0xff, 0xfe, 0xc0, 0x80]),
                Tokens.For("anon")
            )
        )
            Assert.Equal("""{"type":"string","bytes":4}""", await response.Content.ReadAsStringAsync());
        using (var response = await sidecar.SendAsync(HttpMethod.Post, name, new ByteArrayContent(new byte[9 << 20]), Tokens.For("anon")))
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(
            413,
            await RawStatusAsync(
                $"POST /functions/v1/invoke/{name} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Tokens.For("anon")}\r\nContent-Length: {(10 << 20) + 1}\r\n\r\n"
            )
        );
        Assert.Equal(
            431,
            await RawStatusAsync($"POST /functions/v1/invoke/{name} HTTP/1.1\r\nHost: x\r\nX-Large: {new string('a', 10 << 20)}\r\n\r\n")
        );
        Assert.Equal("string", (string)(await sidecar.CallAsync(name, "\"still here\""))!["type"]!);
    }

    private async Task<int> RawStatusAsync(string request)
    {
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(sidecar.Sidecar.Url.Host, sidecar.Sidecar.Url.Port);
        await using var stream = client.GetStream();
        try
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(request));
        }
        catch (IOException)
        {
            // The server has responded and closed the connection before the whole request was sent.
        }
        using var reader = new StreamReader(stream, Encoding.ASCII);
        var status = await reader.ReadLineAsync();
        return int.Parse(status!.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }

    private Task UntilAsync(string name, HttpStatusCode status) =>
        UntilAsync(name, response => Task.FromResult(response.StatusCode == status));

    private Task UntilAsync(string name, string body) =>
        UntilAsync(name, async response => await response.Content.ReadAsStringAsync() == body);

    private Task UntilAsync(string name, Func<HttpResponseMessage, Task<bool>> holds) =>
        Eventually.HoldsAsync(async () =>
        {
            using var response = await sidecar.PostAsync(name);
            return await holds(response);
        });
}
