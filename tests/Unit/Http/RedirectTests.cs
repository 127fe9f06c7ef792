using System.Text;
using Functions.PgSidecar.Core.Fetch;

namespace Functions.PgSidecar.Tests.Unit.Http;

public sealed class RedirectTests : OutboundFixture
{
    [Theory]
    [InlineData(301, "POST", "GET")]
    [InlineData(302, "POST", "GET")]
    [InlineData(303, "POST", "GET")]
    [InlineData(307, "POST", "POST")]
    [InlineData(308, "POST", "POST")]
    [InlineData(301, "PUT", "PUT")]
    [InlineData(302, "DELETE", "DELETE")]
    [InlineData(303, "PUT", "GET")]
    [InlineData(303, "HEAD", "HEAD")]
    public async Task Redirect_changes_the_method_as_the_Fetch_standard_says(int status, string method, string expected)
    {
        await using var server = new LoopbackServer(request =>
            request.Path == "/a" ? LoopbackServer.Redirect(status, "b?c")
            : request.Method == "HEAD" ? LoopbackServer.Ok()
            : LoopbackServer.Ok("there")
        );
        var request = Get($"http://127.0.0.1:{server.Port}/a", ("Content-Type", "text/plain"), ("Authorization", "mine")) with
        {
            Method = method,
            Body = method == "HEAD" ? ReadOnlyMemory<byte>.Empty : Encoding.ASCII.GetBytes("body"),
        };

        using var response = await Send(Client(), request, $"127.0.0.1:{server.Port}");

        Assert.Equal(
            (200, true, $"http://127.0.0.1:{server.Port}/b?c"),
            (response.Head.Status, response.Head.Redirected, response.Head.Url)
        );
        var second = server.Requests[1];
        Assert.Equal((expected, "/b?c", "mine"), (second.Method, second.Path, second.Header("Authorization")));
        Assert.Equal(
            expected == method && method != "HEAD" ? ("body", "text/plain") : ("", null),
            (Encoding.ASCII.GetString(second.Body), second.Header("Content-Type"))
        );
    }

    [Fact]
    public async Task Credentials_are_dropped_for_good_when_the_origin_changes()
    {
        LoopbackServer? first = null,
            second = null;
        await using var a = first = new LoopbackServer(request =>
            request.Path == "/start" ? LoopbackServer.Redirect(307, $"http://other.test:{second!.Port}/") : LoopbackServer.Ok()
        );
        await using var b = second = new LoopbackServer(_ => LoopbackServer.Redirect(307, $"http://first.test:{first!.Port}/end"));
        Name("first.test", "127.0.0.1");
        Name("other.test", "127.0.0.1");

        using var _ = await Send(
            Client(),
            Get($"http://first.test:{first.Port}/start", ("authorization", "secret"), ("Cookie", "session"), ("X-Plain", "1")),
            $"http://first.test:{first.Port}",
            $"http://other.test:{second.Port}"
        );

        Assert.Equal("secret", first.Requests[0].Header("Authorization"));
        Assert.All(new[] { second.Requests[0], first.Requests[1] }, hop =>
            Assert.Equal((null, null, "1"), (hop.Header("Authorization"), hop.Header("Cookie"), hop.Header("X-Plain")))
        );
    }

    [Fact]
    public async Task A_redirect_to_a_host_that_is_not_allowed_is_refused()
    {
        await using var inside = new LoopbackServer(_ => LoopbackServer.Ok("internal"));
        await using var server = new LoopbackServer(_ => LoopbackServer.Redirect(302, $"http://127.0.0.1:{inside.Port}/"));
        Name("outside.test", "127.0.0.1");

        await Refused(
            "PGFN5202",
            Send(Client(), Get($"http://outside.test:{server.Port}/"), $"http://outside.test:{server.Port}", "*", $"http://*:{inside.Port}")
        );

        Assert.Empty(inside.Requests);
    }

    [Fact]
    public async Task A_redirect_to_a_name_that_resolves_inside_is_refused()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Redirect(302, "http://inside.test/"));
        Name("inside.test", "192.168.0.1");

        await Refused(
            "PGFN5204",
            Send(Client(loopbackIsOpen: false), Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}", "http://inside.test")
        );
    }

    [Theory]
    [InlineData("file:///etc/passwd", "PGFN5201")]
    [InlineData("gopher://127.0.0.1/", "PGFN5201")]
    [InlineData("http://user:password@127.0.0.1/", "PGFN5201")]
    [InlineData("http://[", "PGFN5209")]
    [InlineData("http://xn--1%ef%b7%90.example/", "PGFN5209")]
    public async Task Redirect_to_an_unsupported_URL_is_refused(string location, string code)
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Redirect(302, location));

        await Refused(code, Send(Client(), Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}"));
    }

    [Fact]
    public async Task Redirect_loop_ends()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Redirect(302, "/"));

        await Refused("PGFN5209", Send(Client(), Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}"));

        Assert.Equal(21, server.Requests.Count);
    }

    [Fact]
    public async Task Redirect_mode_manual_returns_it_and_mode_error_fails()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Redirect(302, "/elsewhere"));
        var request = Get($"http://127.0.0.1:{server.Port}/");

        using var response = await Send(Client(), request with { Redirect = RedirectMode.Manual }, $"127.0.0.1:{server.Port}");
        Assert.Equal((302, false), (response.Head.Status, response.Head.Redirected));
        Assert.Contains(response.Head.Headers, h => h.Key == "Location" && h.Value == "/elsewhere");

        await Refused("PGFN5209", Send(Client(), request with { Redirect = RedirectMode.Error }, $"127.0.0.1:{server.Port}"));
    }

    [Fact]
    public async Task Redirect_without_a_location_is_returned_as_a_response()
    {
        await using var server = new LoopbackServer(_ => "HTTP/1.1 302 Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");

        using var response = await Send(Client(), Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}");

        Assert.Equal((302, "hi"), (response.Head.Status, Text(response)));
    }
}
