using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Fetch;

namespace Functions.PgSidecar.Tests.Unit.Http;

public sealed class HostPatternTests
{
    [Theory]
    [InlineData("api.example.com", "https://api.example.com/v1?x=1#y")]
    [InlineData("API.Example.com.", "https://api.EXAMPLE.com./")]
    [InlineData("http://api.example.com", "http://api.example.com/")]
    [InlineData("https://api.example.com:8443", "https://api.example.com:8443/")]
    [InlineData("api.example.com:8443", "https://api.example.com:8443/")]
    [InlineData("*.example.com", "https://a.example.com/")]
    [InlineData("*.example.com", "https://a.b.example.com/")]
    [InlineData("*", "https://anything.example/")]
    [InlineData("*:8443", "https://anything.example:8443/")]
    [InlineData("bücher.example", "https://xn--bcher-kva.example/")]
    [InlineData("localhost:3000", "http://localhost:3000/")]
    [InlineData("http://localhost:3000", "http://localhost:3000/")]
    [InlineData("127.0.0.1:3000", "http://127.0.0.1:3000/")]
    [InlineData("127.0.0.1", "http://127.1/")]
    [InlineData("[::1]:3000", "http://[0:0:0:0:0:0:0:1]:3000/")]
    public void Pattern_allows_its_matches(string pattern, string url) => Assert.True(HostAllowList.Create([pattern]).Allows(new Uri(url)));

    [Theory]
    [InlineData("api.example.com", "http://api.example.com/")]
    [InlineData("api.example.com", "https://api.example.com:8443/")]
    [InlineData("api.example.com", "https://example.com/")]
    [InlineData("api.example.com", "https://evil.api.example.com/")]
    [InlineData("api.example.com", "https://api.example.com.evil.example/")]
    [InlineData("api.example.com", "https://api.example.com@evil.example/")]
    [InlineData("http://api.example.com", "https://api.example.com/")]
    [InlineData("api.example.com:8443", "https://api.example.com/")]
    [InlineData("*.example.com", "https://example.com/")]
    [InlineData("*.example.com", "https://notexample.com/")]
    [InlineData("*.example.com", "https://example.com.evil.example/")]
    [InlineData("*", "http://anything.example/")]
    [InlineData("*", "https://localhost/")]
    [InlineData("*", "https://app.localhost/")]
    [InlineData("*", "https://127.0.0.1/")]
    [InlineData("*", "https://2130706433/")]
    [InlineData("*", "https://0x7f.1/")]
    [InlineData("*", "https://[::1]/")]
    [InlineData("*", "https://169.254.169.254/")]
    [InlineData("127.0.0.1", "http://[::ffff:127.0.0.1]/")]
    [InlineData("localhost", "http://127.0.0.1/")]
    [InlineData("localhost:3000", "http://localhost:3001/")]
    public void Pattern_refuses_everything_else(string pattern, string url) =>
        Assert.False(HostAllowList.Create([pattern]).Allows(new Uri(url)));

    [Fact]
    public void Without_patterns_nothing_is_allowed() => Assert.False(HostAllowList.None.Allows(new Uri("https://api.example.com/")));

    [Theory]
    [InlineData("")]
    [InlineData("*.")]
    [InlineData("**")]
    [InlineData("*.*.example.com")]
    [InlineData("api.*.com")]
    [InlineData("*.127.0.0.1")]
    [InlineData("ftp://example.com")]
    [InlineData("https://example.com/")]
    [InlineData("example.com/path")]
    [InlineData("user@example.com")]
    [InlineData("example.com:0")]
    [InlineData("example.com:99999")]
    [InlineData("example.com:80:90")]
    [InlineData("exa mple.com")]
    [InlineData("example.com?x")]
    [InlineData("example.com#x")]
    [InlineData("[::1")]
    [InlineData("xn--1\ufdd0.example")]
    public void Invalid_patterns_are_refused(string pattern) =>
        Assert.Equal("PGFN5210", Assert.Throws<SidecarException>(() => HostPattern.Parse(pattern)).Code);
}
