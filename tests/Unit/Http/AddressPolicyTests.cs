using System.Net;
using Functions.PgSidecar.Core.Fetch;

namespace Functions.PgSidecar.Tests.Unit.Http;

public sealed class AddressPolicyTests
{
    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("0.1.2.3")]
    [InlineData("10.0.0.1")]
    [InlineData("100.64.0.1")]
    [InlineData("100.100.100.200")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.255")]
    [InlineData("168.63.129.16")]
    [InlineData("169.254.169.254")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.0.0.192")]
    [InlineData("192.0.2.1")]
    [InlineData("192.168.1.1")]
    [InlineData("198.18.0.1")]
    [InlineData("198.51.100.1")]
    [InlineData("203.0.113.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("::127.0.0.1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:8.8.8.8")]
    [InlineData("64:ff9b::7f00:1")]
    [InlineData("64:ff9b:1::1")]
    [InlineData("100::1")]
    [InlineData("2001::1")]
    [InlineData("2001:db8::1")]
    [InlineData("2002:7f00:1::1")]
    [InlineData("3fff::1")]
    [InlineData("fc00::1")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fe80::1")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    public void Name_that_resolves_to_a_non_public_address_is_refused(string address)
    {
        Assert.False(AddressPolicy.IsPublic(IPAddress.Parse(address)));
        Assert.False(new AddressPolicy([]).Permits("rebind.example.com", IPAddress.Parse(address)));
    }

    [Theory]
    [InlineData("1.1.1.1")]
    [InlineData("172.32.0.1")]
    [InlineData("100.128.0.1")]
    [InlineData("192.0.1.1")]
    [InlineData("223.255.255.255")]
    [InlineData("2606:4700:4700::1111")]
    [InlineData("2001:4860:4860::8888")]
    public void Public_address_is_allowed(string address) =>
        Assert.True(new AddressPolicy([]).Permits("api.example.com", IPAddress.Parse(address)));

    [Fact]
    public void Operator_can_allow_a_network()
    {
        var policy = new AddressPolicy([IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd12::/16")]);

        Assert.True(policy.Permits("db.corp.example", IPAddress.Parse("10.1.2.3")));
        Assert.True(policy.Permits("db.corp.example", IPAddress.Parse("::ffff:10.1.2.3")));
        Assert.True(policy.Permits("db.corp.example", IPAddress.Parse("fd12::1")));
        Assert.False(policy.Permits("db.corp.example", IPAddress.Parse("192.168.1.1")));
        Assert.False(new AddressPolicy([IPNetwork.Parse("fc00::/7")]).Permits("db.corp.example", IPAddress.Parse("::ffff:1.1.1.1")));
    }

    [Fact]
    public void Localhost_resolves_to_loopback_only()
    {
        Assert.True(new AddressPolicy([]).Permits("localhost", IPAddress.IPv6Loopback));
        Assert.False(new AddressPolicy([]).Permits("localhost", IPAddress.Parse("10.0.0.1")));
        Assert.False(new AddressPolicy([]).Permits("localhost", IPAddress.Parse("1.1.1.1")));
    }
}
