namespace Functions.PgSidecar.Tests.Unit.Http;

/// <summary>Attempts to reach addresses that only the sidecar's machine can reach.</summary>
public sealed class PrivateAddressTests : OutboundFixture
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    public async Task A_name_that_resolves_to_a_private_address_is_not_connected(string address)
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok("internal"));
        Name("inside.test", address);

        var refused = await Refused(
            "PGFN5204",
            Send(Client(loopbackIsOpen: false), Get($"http://inside.test:{server.Port}/"), $"http://inside.test:{server.Port}")
        );

        Assert.Equal(502, refused.Status);
        Assert.Empty(server.Requests);
        // The same message as for a name that does not exist.
        var missing = await Refused(
            "PGFN5204",
            Send(Client(loopbackIsOpen: false), Get($"http://missin.test:{server.Port}/"), $"http://missin.test:{server.Port}")
        );
        Assert.Equal(missing.Message.Replace("missin.test", "inside.test", StringComparison.Ordinal), refused.Message);
        Assert.Equal(missing.Status, refused.Status);
    }

    [Fact]
    public async Task A_name_that_resolves_differently_the_second_time_is_checked_the_second_time()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok("internal"));
        // A public address first, then the private address that the attacker wants to reach.
        Name("rebind.test", "127.0.0.2", "10.255.255.1");
        var client = Client();
        var url = $"http://rebind.test:{server.Port}/";

        await Refused("PGFN5204", Send(client, Get(url), $"http://rebind.test:{server.Port}"));
        await Refused("PGFN5204", Send(client, Get(url), $"http://rebind.test:{server.Port}"));

        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Only_the_permitted_of_several_addresses_is_connected()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok("public"));
        Name("mixed.test", "10.0.0.1 ::1 127.0.0.1");

        using var response = await Send(Client(), Get($"http://mixed.test:{server.Port}/"), $"http://mixed.test:{server.Port}");

        Assert.Equal("public", Text(response));
    }

    [Theory]
    [InlineData("http://127.0.0.1:{0}/")]
    [InlineData("http://127.1:{0}/")]
    [InlineData("http://2130706433:{0}/")]
    [InlineData("http://0x7f000001:{0}/")]
    [InlineData("http://0177.0.0.1:{0}/")]
    [InlineData("http://0:{0}/")]
    [InlineData("http://[::1]:{0}/")]
    [InlineData("http://[::ffff:127.0.0.1]:{0}/")]
    [InlineData("http://localhost:{0}/")]
    [InlineData("http://localhost.:{0}/")]
    [InlineData("http://app.localhost:{0}/")]
    [InlineData("http://127。0。0。1:{0}/")]
    public async Task Wildcard_matches_no_IP_address_in_any_notation(string url)
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok("internal"));
        Name("localhost", "127.0.0.1");
        Name("app.localhost", "127.0.0.1");

        await Refused(
            "PGFN5202",
            Send(Client(), Get(url.Replace("{0}", server.Port.ToString())), "*", $"http://*:{server.Port}", $"https://*:{server.Port}")
        );

        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Address_and_localhost_are_allowed_when_listed_literally()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok("mine"));
        Name("localhost", "127.0.0.1");
        var client = Client(loopbackIsOpen: false);

        using var byAddress = await Send(client, Get($"http://127.0.0.1:{server.Port}/"), $"127.0.0.1:{server.Port}");
        using var byName = await Send(client, Get($"http://localhost:{server.Port}/"), $"http://localhost:{server.Port}");

        Assert.Equal(("mine", "mine"), (Text(byAddress), Text(byName)));
    }

    [Fact]
    public async Task A_pooled_connection_of_one_function_does_not_serve_another_that_lacks_the_host()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok("mine"));
        var client = Client(loopbackIsOpen: false);
        var url = $"http://127.0.0.1:{server.Port}/";
        using var allowed = await Send(client, Get(url), $"127.0.0.1:{server.Port}");

        await Refused("PGFN5202", Send(client, Get(url), "*", "localhost"));
    }
}
