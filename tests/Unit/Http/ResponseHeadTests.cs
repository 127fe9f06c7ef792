using System.Text;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Tests.Unit.Http;

public sealed class ResponseHeadTests
{
    [Fact]
    public void Values_of_one_name_are_kept_in_their_order_whatever_its_case()
    {
        var head = Read("""{"status":201,"headers":[["Set-Cookie","a=1"],["x-a","1"],["set-cookie","b=2"],["SET-COOKIE","c=3"]]}""")!;
        Assert.Equal(201, head.Status);
        Assert.Equal(["a=1", "b=2", "c=3"], head.Repeated["set-cookie"]);
        Assert.Equal("1", head.Single["X-A"]);
        Assert.False(head.Single.ContainsKey("set-cookie"));
    }

    [Theory]
    [InlineData("date")]
    [InlineData("Server")]
    [InlineData("X-REQUEST-ID")]
    [InlineData("connection")]
    [InlineData("Transfer-Encoding")]
    [InlineData("content-length")]
    [InlineData("proxy-anything")]
    public void Headers_that_the_server_sets_are_dropped(string name)
    {
        var head = Read($$"""{"status":200,"headers":[["{{name}}","x"],["{{name}}","y"]]}""")!;
        Assert.Empty(head.Single);
        Assert.Empty(head.Repeated);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("""{"status":200}""")]
    [InlineData("""{"status":199,"headers":[]}""")]
    [InlineData("""{"status":600,"headers":[]}""")]
    [InlineData("""{"status":"200","headers":[]}""")]
    [InlineData("""{"status":200,"headers":{}}""")]
    [InlineData("""{"status":200,"headers":[["a"]]}""")]
    [InlineData("""{"status":200,"headers":[["a",1]]}""")]
    [InlineData("""{"status":200,"headers":[["a b","x"]]}""")]
    [InlineData("""{"status":200,"headers":[["","x"]]}""")]
    [InlineData("""{"status":200,"headers":[["a","x\r\ny: z"]]}""")]
    [InlineData("""{"status":200,"headers":[["a","\u0100"]]}""")]
    public void Malformed_responses_are_rejected(string json) => Assert.Null(Read(json));

    private static ResponseHead? Read(string json) => ResponseHead.TryRead(Encoding.UTF8.GetBytes(json));
}
