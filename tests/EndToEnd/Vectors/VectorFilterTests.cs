using System.Text.Json;

namespace Functions.PgSidecar.Tests.EndToEnd.Vectors;

/// <summary>The filters of <c>env.VECTORIZE.query</c>, compared with what they mean, evaluated here.</summary>
public sealed class VectorFilterTests(VectorFixture fixture) : IClassFixture<VectorFixture>
{
    private static readonly SemaphoreSlim Gate = new(1);

    /// <summary>The function that searches, deployed by the first test.</summary>
    private static string? searching;

    private const string Vectors = """
        await V.upsert([
          { id: "a", values: [1, 0], metadata: { color: "red", n: 1, ok: true, tags: ["x", "y"], deep: { k: "v", n: 5 } } },
          { id: "b", values: [1, 0.1], metadata: { color: "blue", n: 2.5, ok: false, tags: ["y"] } },
          { id: "c", values: [1, 0.2], metadata: { color: "Red", n: -3, none: null } },
          { id: "d", values: [1, 0.3], metadata: { color: 5, n: "1" } },
          { id: "e", values: [1, 0.4] },
          { id: "f", values: [1, 0.5], metadata: { "it's": 1, "a b": "x\"y\\z'", "ä&<": "\u{1f600}" } },
        ]);
        """;

    [Theory]
    [InlineData("{}", "abcdef")]
    [InlineData("{\"color\":\"red\"}", "a")]
    [InlineData("{\"color\":{\"$eq\":\"red\"}}", "a")]
    [InlineData("{\"color\":{\"$ne\":\"red\"}}", "bcdef")]
    [InlineData("{\"color\":5}", "d")]
    [InlineData("{\"color\":\"5\"}", "")]
    [InlineData("{\"n\":1}", "a")]
    [InlineData("{\"n\":1.0}", "a")]
    [InlineData("{\"n\":-3}", "c")]
    [InlineData("{\"n\":{\"$ne\":1}}", "bcdef")]
    [InlineData("{\"n\":{\"$gt\":1}}", "b")]
    [InlineData("{\"n\":{\"$gte\":1}}", "ab")]
    [InlineData("{\"n\":{\"$lt\":1}}", "c")]
    [InlineData("{\"n\":{\"$lte\":1}}", "ac")]
    [InlineData("{\"n\":{\"$gte\":1,\"$lt\":2}}", "a")]
    [InlineData("{\"n\":{\"$gt\":1e+300}}", "")]
    [InlineData("{\"n\":{\"$gt\":-1e+300}}", "abc")]
    [InlineData("{\"color\":{\"$gte\":\"b\"}}", "ab")]
    [InlineData("{\"color\":{\"$lt\":\"b\"}}", "c")]
    [InlineData("{\"ok\":true}", "a")]
    [InlineData("{\"ok\":{\"$ne\":true}}", "bcdef")]
    [InlineData("{\"ok\":1}", "")]
    [InlineData("{\"color\":{\"$in\":[\"red\",5,null]}}", "adef")]
    [InlineData("{\"color\":{\"$nin\":[\"red\",5]}}", "bcef")]
    [InlineData("{\"tags\":\"y\"}", "ab")]
    [InlineData("{\"tags\":{\"$in\":[\"x\",\"z\"]}}", "a")]
    [InlineData("{\"tags\":{\"$ne\":\"x\"}}", "bcdef")]
    [InlineData("{\"deep.k\":\"v\"}", "a")]
    [InlineData("{\"deep.n\":{\"$gt\":4,\"$lt\":6}}", "a")]
    [InlineData("{\"deep.none\":null}", "abcdef")]
    [InlineData("{\"deep.k\":{\"$ne\":null}}", "a")]
    [InlineData("{\"none\":null}", "abcdef")]
    [InlineData("{\"color\":{\"$ne\":null}}", "abcd")]
    [InlineData("{\"color\":null}", "ef")]
    [InlineData("{\"color\":\"red\",\"n\":1}", "a")]
    [InlineData("{\"color\":\"red\",\"n\":2}", "")]
    [InlineData("{\"$or\":[{\"color\":\"red\"},{\"n\":2.5}]}", "ab")]
    [InlineData("{\"$and\":[{\"n\":{\"$gt\":0}},{\"$or\":[{\"color\":\"blue\"},{\"ok\":true}]}],\"tags\":\"y\"}", "ab")]
    [InlineData("{\"$or\":[{},{\"color\":\"red\"}]}", "abcdef")]
    [InlineData("{\"it's\":1}", "f")]
    [InlineData("{\"a b\":\"x\\\"y\\\\z'\"}", "f")]
    [InlineData("{\"ä&<\":\"😀\"}", "f")]
    public async Task Filter_matches_what_it_says(string filter, string ids)
    {
        var found = await SearchAsync(filter);
        Assert.Equal([ids, ids], found);
    }

    /// <summary>What would end a string, a comment, a predicate or a statement, as a key and as a value.</summary>
    [Theory]
    [InlineData("' or true --")]
    [InlineData("\" || true || \"")]
    [InlineData("x\" == \"x\") || exists($ ? (\"a\"")]
    [InlineData("\\\" || exists($)")]
    [InlineData("\\")]
    [InlineData("\\u0022 || true")]
    [InlineData("'::text; drop table functions_vectors.filtered; --")]
    [InlineData("$1")]
    [InlineData("*")]
    [InlineData("x ? (true)")]
    [InlineData("a[*].**")]
    [InlineData("\r\n/* */")]
    [InlineData("${1}")]
    public async Task Text_of_a_filter_is_never_read_as_code(string text)
    {
        var literal = JsonSerializer.Serialize(text);
        foreach (
            var none in (string[])["""{"color": TEXT}""", """{"color": {"$gt": TEXT, "$lt": TEXT}}""", """{"color": {"$in": [TEXT]}}"""]
        )
            Assert.Equal(["", ""], await SearchAsync(none.Replace("TEXT", literal, StringComparison.Ordinal)));
        foreach (var key in (string[])["""{TEXT: "red"}""", """{"$or": [{TEXT: TEXT}]}"""])
            Assert.Contains((await SearchAsync(key.Replace("TEXT", literal, StringComparison.Ordinal)))[0], new[] { "", "PGFN5903" });
        Assert.Equal(
            ["abcdef", "abcdef"],
            await SearchAsync("""{"color": {"$nin": [TEXT]}}""".Replace("TEXT", literal, StringComparison.Ordinal))
        );
    }

    [Theory]
    [InlineData("\"x\"")]
    [InlineData("[1]")]
    [InlineData("{\"\":1}")]
    [InlineData("{\"$not\":{\"a\":1}}")]
    [InlineData("{\"a\":{}}")]
    [InlineData("{\"a\":[1]}")]
    [InlineData("{\"a\":{\"$eq\":{\"b\":1}}}")]
    [InlineData("{\"a\":{\"$eq\":[1]}}")]
    [InlineData("{\"a\":{\"$gt\":true}}")]
    [InlineData("{\"a\":{\"$gt\":null}}")]
    [InlineData("{\"a\":{\"$in\":1}}")]
    [InlineData("{\"a\":{\"$in\":[]}}")]
    [InlineData("{\"a\":{\"$in\":[[1]]}}")]
    [InlineData("{\"a\":{\"$eq\":\"x\\u0000y\"}}")]
    [InlineData("{\"a\\u0000\":1}")]
    [InlineData("{\"$and\":[]}")]
    [InlineData("{\"$or\":{\"a\":1}}")]
    [InlineData("{\"$or\":[1]}")]
    public async Task What_is_no_filter_is_refused(string filter)
    {
        Assert.Equal("PGFN5903", (await SearchAsync(filter))[0]);
    }

    [Fact]
    public async Task Filter_that_is_too_large_is_refused()
    {
        foreach (
            var filter in (string[])[$$"""{"{{new string('k', 513)}}": 1}""", $$"""{"a": "{{new string('x', 20_000)}}"}""", Nested(20)]
        )
            Assert.Equal("PGFN5903", (await SearchAsync(filter))[0]);
        Assert.Equal("a", (await SearchAsync(Nested(10)))[0]);

        static string Nested(int depth) => depth == 0 ? """{"color": "red"}""" : $$"""{"$and": [{{Nested(depth - 1)}}]}""";
    }

    /// <summary>A selective filter whose vectors are the farthest from the query: an index that is not searched on misses them.</summary>
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Filtered_search_finds_matches_that_are_far_away()
    {
        fixture.Require();
        await fixture.CreateAsync("many", 8, """{"read": "authenticated", "write": "authenticated"}""");
        await fixture.Sidecar.Database.ExecuteAsync(
            """
            insert into functions_vectors.many (id, embedding, metadata)
            select 'v' || n, array[1, random(), random(), random(), random(), random(), random(), random()]::real[]::ext.vector, '{"kind": "common"}'
            from generate_series(1, 12000) n;
            insert into functions_vectors.many (id, embedding, metadata)
            select 'far' || n, array[-1, random(), random(), random(), random(), random(), random(), random()]::real[]::ext.vector, '{"kind": "rare"}'
            from generate_series(1, 7) n;
            analyze functions_vectors.many;
            """
        );
        var json = await fixture.RunAsync(
            "many",
            """
            const counts = [];
            for (const options of [{ filter: { kind: "rare" } }, { filter: { kind: { $ne: "common" } } }, { filter: { kind: "common" } }, {}])
              counts.push((await V.query([1, 0, 0, 0, 0, 0, 0, 0], { topK: 100, ...options })).count);
            return counts;
            """
        );
        Assert.Equal("[7,7,100,100]", json.ToJsonString());
    }

    /// <summary>The ids that match, with the index and without, in order; or the code of the error.</summary>
    private async Task<string[]> SearchAsync(string filter)
    {
        fixture.Require();
        await Gate.WaitAsync();
        try
        {
            if (searching is null)
            {
                await fixture.CreateAsync("filtered", 2, """{"read": "authenticated", "write": "authenticated"}""");
                searching = await fixture.Sidecar.DeployAsync(
                    $$"""
                    export async function handler(event) {
                      const V = env.VECTORIZE.index("filtered");
                      {{Vectors}}
                      const { filter } = event.body;
                      const ids = (exact) => V.query([1, 0], { topK: 10, filter, exact })
                        .then((r) => r.matches.map((m) => m.id).sort().join(""), (e) => e.code);
                      return [await ids(false), await ids(true)];
                    }
                    """,
                    """{"timeout_ms": 60000}"""
                );
            }
        }
        finally
        {
            Gate.Release();
        }
        var found = (await fixture.Sidecar.CallAsync(searching, $$"""{"filter": {{filter}}}"""))!;
        return [.. found.AsArray().Select(one => (string)one!)];
    }
}
