using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Aerodb;
using Functions.PgSidecar.Core.Auth.Jwt;
using Functions.PgSidecar.Core.Database;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;
using Functions.PgSidecar.Sandbox.Modules;

namespace Functions.PgSidecar.Tests.Unit;

/// <summary>
/// Input of callers and functions costs the host time and memory in proportion to its length. The tests double the input and count
/// characters read or
/// bytes allocated, which may at most double.
/// </summary>
public sealed class CostTests
{
    private const int Smallest = 2_000;

    [Theory]
    [InlineData("E'a'\n")]
    [InlineData("E'a'--x\n")]
    [InlineData("E'a'  \t ")]
    [InlineData("E'a\\'' 'b'")]
    [InlineData("E'a'--")]
    [InlineData("$a")]
    [InlineData("$a$b$c$")]
    [InlineData("$$")]
    [InlineData("$é ")]
    [InlineData("'x'")]
    [InlineData("\"\"\"")]
    [InlineData("U&'x' ")]
    [InlineData("1.2e3_")]
    [InlineData("/*")]
    [InlineData("/**/")]
    [InlineData("*/")]
    [InlineData("-- x\n")]
    [InlineData("--")]
    [InlineData("((")]
    [InlineData("a.b(")]
    [InlineData("?1 ?| ?")]
    [InlineData("select ")]
    [InlineData("into begin atomic end ")]
    public void The_lexer_of_SQL_reads_each_character_a_few_times_at_most(string piece)
    {
        foreach (var (before, after) in new[] { ("", ""), ("select ", " from t"), ("create function f() ", ";") })
        {
            for (var times = Smallest; times <= 8 * Smallest; times *= 2)
            {
                var sql = before + Repeat(piece, times) + after;
                var lexer = new SqlLexer(sql);
                while (lexer.Next(out _)) { }
                Assert.InRange(lexer.CharactersRead, sql.Length, 3L * sql.Length);
            }
        }
    }

    [Theory]
    [InlineData("?, ")]
    [InlineData("f(")]
    [InlineData("E'a'\n")]
    [InlineData("\"set_config\"(")]
    public void A_statement(string piece) =>
        Doubles(times => "select " + Repeat(piece, times) + "1", static sql => SqlStatement.Parse(sql, translatePlaceholders: true));

    [Fact]
    public void A_script() =>
        Doubles(static times => Repeat("select 1; ", times), static sql => SqlStatement.ParseScript(sql), smallest: 500);

    [Theory]
    [InlineData("[\"set-cookie\",\"a=b\"],")]
    [InlineData("[\"x-{0}\",\"v\"],")]
    [InlineData("[\"date\",\"v\"],")]
    public void An_answer_of_many_headers(string header) =>
        Doubles(
            times => Encoding.UTF8.GetBytes($$$"""{"status":200,"headers":[{{{Many(header, times)}}}["a","b"]]}"""),
            static head => Assert.NotNull(ResponseHead.TryRead(head))
        );

    [Theory]
    [InlineData("cookie")]
    [InlineData("x-{0}")]
    public void A_request_of_many_headers(string name) =>
        Doubles(
            times => Enumerable.Range(0, times).Select(i => new KeyValuePair<string, string>(string.Format(null, name, i), "v")).ToList(),
            static headers =>
            {
                using var message = new HttpRequestMessage(HttpMethod.Get, "http://example.com/");
                OutboundHeaders.Apply(message, headers, withCredentials: true, withBody: false);
            }
        );

    [Fact]
    public void The_arguments_of_a_query() =>
        Doubles(
            static times => Encoding.UTF8.GetBytes($$"""{"sql":"select 1","params":[{{Repeat("\"x\",", times)}}null]}"""),
            static json =>
            {
                using var document = JsonDocument.Parse(json);
                DbArguments.Read(document.RootElement);
            }
        );

    [Fact]
    public void The_arguments_of_a_batch() =>
        Doubles(
            static times => Encoding.UTF8.GetBytes($$$"""{"statements":[{{{Repeat("{\"sql\":\"select 1\"},", times)}}}{"sql":""}]}"""),
            static json =>
            {
                using var document = JsonDocument.Parse(json);
                DbArguments.Read(document.RootElement);
            }
        );

    [Fact]
    public void The_arguments_of_a_module_s_query() =>
        Doubles(
            static times => Encoding.UTF8.GetBytes($"[{Repeat("{\"a\":[1]},", times)}1]"),
            static json => Assert.NotNull(OperationArguments.TryQuery("select 1", json, null))
        );

    [Fact]
    public void The_answer_of_a_module() =>
        Doubles(
            static times => Encoding.UTF8.GetBytes($$$"""{"statusCode":200,"headers":{"a":[{{{Repeat("\"x\",", times)}}}1]},"body":{}}"""),
            static answer => ModuleAnswer.ForHttp(answer)
        );

    [Fact]
    public void The_head_of_a_response_for_a_module() =>
        Doubles(
            static times =>
                Encoding.UTF8.GetBytes(
                    $$"""{"status":200,"statusText":"","url":"","redirected":false,"headers":[{{Repeat("[\"a\",\"x\"],", times)}}["b","c"]]}"""
                ),
            static answer => FetchHead.Write(answer, out _)
        );

    [Fact]
    public void The_rows_of_a_query_for_a_module() =>
        Doubles(
            static times =>
                Encoding.UTF8.GetBytes(
                    $$"""{"command":"SELECT","rowCount":1,"fields":[{"name":"a"}],"rows":[{{Repeat("[{\"a\":[1]}],", times)}}[1]]}"""
                ),
            static answer => QueryRows.Write(answer)
        );

    [Theory]
    [InlineData("../")]
    [InlineData("./")]
    [InlineData("a/")]
    public void The_names_of_a_source_map(string piece) =>
        Doubles(
            times =>
            {
                var map = JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        version = 3,
                        sources = new[] { Repeat(piece, times) + "a.ts" },
                        mappings = Repeat("AAAA;", times),
                    }
                );
                return "x\n//# sourceMappingURL=data:application/json;base64," + Convert.ToBase64String(map);
            },
            static source => Assert.NotNull(SourceText.Split("f.js", source).Map)
        );

    [Fact]
    public void A_stack_that_names_many_places()
    {
        var map = JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                version = 3,
                sources = new[] { "a.ts" },
                mappings = "AAAA",
            }
        );
        var source = SourceText.Split("f.js", "x\n//# sourceMappingURL=data:application/json;base64," + Convert.ToBase64String(map)).Map!;
        Doubles(static times => Repeat("f.js:1:1 f.js:f.js: ", times), text => source.Translate(text));
    }

    [Fact]
    public void A_line_of_the_log() =>
        Doubles(
            static times => Repeat("sk_live_0123456789", times),
            static line =>
                LogLine.Shorten(
                    new LineRedactor(
                        Redactor.Create([new("KEY", "sk_live_0123456789"), new("OTHER", "sk_live_01234567890123456789sk_live")], [])
                    ).Redact(line)
                )
        );

    [Theory]
    [InlineData("\"a{0}\":{{\"a\":1}},")]
    [InlineData("\"r{0}\":[\"x\",\"\\u0041\"],")]
    public void The_claims_of_a_token(string member) =>
        Doubles(
            times => Encoding.UTF8.GetBytes("{" + Many(member, times) + "\"z\":1}"),
            static json =>
            {
                using var claims = StrictJson.ParseObject(json);
                Assert.NotNull(claims);
            }
        );

    [Fact]
    public void The_text_of_a_token() =>
        Doubles(static times => Repeat("eyJh.", times), static token => CompactToken.TryParse(token, out _));

    /// <summary>Doubles the input four times. The allocated bytes may double each time, plus a constant.</summary>
    private static void Doubles<T>(Func<int, T> input, Action<T> work, int smallest = Smallest)
    {
        work(input(smallest));
        var allocated = new List<long>();
        for (var times = smallest; times <= 16 * smallest; times *= 2)
        {
            var given = input(times);
            var before = GC.GetAllocatedBytesForCurrentThread();
            work(given);
            allocated.Add(GC.GetAllocatedBytesForCurrentThread() - before);
        }
        // Growing buffers may be twice as large as their content. Over four steps that is small compared with quadratic growth, a factor of
        // 256.
        Assert.InRange(allocated[^1], 0, (40 * allocated[0]) + 500_000);
    }

    private static string Repeat(string piece, int times) => new StringBuilder(piece.Length * times).Insert(0, piece, times).ToString();

    private static string Many(string piece, int times)
    {
        var text = new StringBuilder();
        for (var i = 0; i < times; i++)
            text.AppendFormat(null, piece, i);
        return text.ToString();
    }
}
