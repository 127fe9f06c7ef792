using System.Text;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.Wasi;

/// <summary>The output of modules as responses, and the input they get.</summary>
public sealed class ModuleAnswerTests
{
    private const string Json = """[["content-type","application/json"]]""";
    private const string Text = """[["content-type","text/plain;charset=UTF-8"]]""";

    [Theory]
    [InlineData("", 200, Json, "null")]
    [InlineData(" \n", 200, Json, "null")]
    [InlineData("""{"answer": 42}""", 200, Json, """{"answer": 42}""")]
    [InlineData("[1,2]\n", 200, Json, "[1,2]")]
    [InlineData("\"hello\"", 200, Text, "hello")]
    [InlineData("Hello, world\n", 200, Text, "Hello, world\n")]
    [InlineData("{broken", 200, Text, "{broken")]
    [InlineData("1 2", 200, Text, "1 2")]
    [InlineData("""{"statusCode":201,"body":{"a":1}}""", 201, Json, """{"a":1}""")]
    [InlineData("""{"statusCode":200,"body":"[1]"}""", 200, Json, "[1]")]
    [InlineData("""{"statusCode":200,"body":"{x}"}""", 200, Text, "{x}")]
    [InlineData("""{"statusCode":204}""", 204, "[]", "")]
    [InlineData("""{"statusCode":200,"body":null}""", 200, "[]", "")]
    [InlineData("""{"statusCode":"200"}""", 200, Json, """{"statusCode":"200"}""")]
    [InlineData(
        """{"statusCode":200,"headers":{"Content-Type":"text/html"},"body":"<p>"}""",
        200,
        """[["content-type","text/html"]]""",
        "<p>"
    )]
    [InlineData(
        """{"statusCode":200,"headers":{"set-cookie":["a=1","b=2"],"x-n":1,"x-b":true,"x-0":null}}""",
        200,
        """[["set-cookie","a=1"],["set-cookie","b=2"],["x-n","1"],["x-b","true"]]""",
        ""
    )]
    [InlineData("""{"statusCode":200,"body_base64":"aGk="}""", 200, """[["content-type","application/octet-stream"]]""", "hi")]
    public void An_output_becomes_status_headers_and_body(string output, int status, string headers, string body)
    {
        var (head, sent) = ModuleAnswer.ForHttp(Encoding.UTF8.GetBytes(output));
        Assert.Equal(
            $$"""{"status":{{status}},"headers":{{headers}}}""",
            System.Text.RegularExpressions.Regex.Unescape(Encoding.UTF8.GetString(head.Span))
        );
        Assert.Equal(body, Encoding.UTF8.GetString(sent.Span));
    }

    [Theory]
    [InlineData("""{"statusCode":199}""", "RangeError")]
    [InlineData("""{"statusCode":600}""", "RangeError")]
    [InlineData("""{"statusCode":200.5}""", "RangeError")]
    [InlineData("""{"statusCode":1e99}""", "RangeError")]
    [InlineData("""{"statusCode":200,"headers":[1]}""", "TypeError")]
    [InlineData("""{"statusCode":200,"headers":{"a":{}}}""", "TypeError")]
    [InlineData("""{"statusCode":200,"headers":{"a":["x",[]]}}""", "TypeError")]
    [InlineData("""{"statusCode":200,"body_base64":"?"}""", "TypeError")]
    [InlineData("""{"statusCode":200,"body_base64":1}""", "TypeError")]
    [InlineData("""{"statusCode":200,"body":"\ud800"}""", "TypeError")]
    [InlineData("""{"statusCode":200,"headers":{"a":"\udc00"}}""", "TypeError")]
    public void Malformed_response_is_an_error_of_the_module(string output, string name)
    {
        var error = Assert.Throws<GuestException>(() =>
        {
            ModuleAnswer.ForHttp(Encoding.UTF8.GetBytes(output));
        });
        Assert.Equal(name, error.Error.Name);
    }

    [Fact]
    public void Non_text_bytes_are_sent_as_bytes()
    {
        byte[] bytes = [0xFF, 0xFE, 0];
        var (head, body) = ModuleAnswer.ForHttp(bytes);
        Assert.Contains("application/octet-stream", Encoding.UTF8.GetString(head.Span), StringComparison.Ordinal);
        Assert.Equal(bytes, body.ToArray());
    }

    [Theory]
    [InlineData("", "null")]
    [InlineData("{\"a\":1}", "{\"a\":1}")]
    [InlineData("done\n", "\"done\\n\"")]
    public void The_result_of_any_other_event_is_JSON(string output, string result) =>
        Assert.Equal(result, Encoding.UTF8.GetString(ModuleAnswer.ForEvent(Encoding.UTF8.GetBytes(output)).Span));

    [Theory]
    [InlineData("", "\"body\":null")]
    [InlineData("{\"a\":1}", "\"body\":{\"a\":1}")]
    [InlineData("{\"a\":1", "\"body\":\"{\\u0022a\\u0022:1\"")]
    [InlineData("text", "\"body\":\"text\"")]
    public void A_request_is_the_event_of_a_JavaScript_handler(string body, string expected)
    {
        var read = ModuleEvent.Read(Envelope, Encoding.UTF8.GetBytes(body));
        Assert.True(read.IsHttp);
        Assert.Equal(
            $$"""{"trigger":"http","method":"PUT","path":"/p","headers":{"x-a":"1, 2"},"query":{"q":["1","2"]},{{expected}},"user_id":null,"request_id":"r"}""",
            Encoding.UTF8.GetString(read.Json.Span)
        );
        Assert.Equal(["KEY=a=b\0"], read.Environment.Select(Encoding.UTF8.GetString));
    }

    [Fact]
    public void Binary_body_is_passed_in_base64() =>
        Assert.Contains(
            "\"body\":null,\"body_base64\":\"//4=\"",
            Encoding.UTF8.GetString(ModuleEvent.Read(Envelope, new byte[] { 0xFF, 0xFE }).Json.Span),
            StringComparison.Ordinal
        );

    private static ReadOnlyMemory<byte> Envelope =>
        Encoding.UTF8.GetBytes(
            """
            {"kind":"http","trigger":"http","request":{"method":"PUT","url":"http://h/p","headers":[["x-a","1"],["X-A","2"]]},
             "path":"/p","query":{"q":["1","2"]},"user_id":null,"request_id":"r","env":{"KEY":"a=b"},"now":0}
            """
        );
}
