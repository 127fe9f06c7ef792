using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Vectors;

/// <summary><c>env.VECTORIZE</c> in a real sidecar. Each test uses an index of its own.</summary>
public sealed class VectorTests(VectorFixture fixture) : IClassFixture<VectorFixture>
{
    private const string Everyone = """{"read": ["authenticated", "anon"], "write": "authenticated"}""";

    [Fact]
    public async Task Vectors_are_stored_found_read_and_removed()
    {
        fixture.Require();
        await fixture.CreateAsync("basic", 3, Everyone);
        var json = await fixture.RunAsync(
            "basic",
            """
            const stored = await V.insert([
              { id: "a", values: [1, 0, 0], metadata: { n: 1 }, namespace: "x" },
              { id: "b", values: new Float32Array([1, 1, 0]), metadata: { n: 2 } },
              { id: "c", values: new Float64Array([0, 0, 1]) },
              { id: "a", values: [0, 1, 0] },
            ]);
            const again = await V.insert([{ id: "a", values: [0, 1, 0] }, { id: "d", values: [0, 1, 0] }]);
            const found = await V.query([1, 0, 0], { topK: 2, returnMetadata: "all", returnValues: true });
            const replaced = await V.upsert([{ id: "b", values: [0, 0, -1] }, { id: "b", values: [-1, 0, 0], metadata: { m: ["x"] } }]);
            const read = await V.getByIds(["b", "none", "a"]);
            const removed = await V.deleteByIds(["c", "none"]);
            const about = await V.describe();
            return [stored.ids.sort(), stored.count, again.ids, typeof again.mutationId, found, replaced.ids, read, removed.ids,
              about.vectorCount, about.dimensions, about.metric, about.processedUpToMutation === removed.mutationId];
            """
        );
        Assert.Equal(
            """
            [["a","b","c"],3,["d"],"string",{"matches":[{"id":"a","score":1,"namespace":"x","metadata":{"n":1},"values":[1,0,0]},
            {"id":"b","score":0.7071067811865475,"metadata":{"n":2},"values":[1,1,0]}],"count":2},["b"],
            [{"id":"b","metadata":{"m":["x"]},"values":[-1,0,0]},{"id":"a","namespace":"x","metadata":{"n":1},"values":[1,0,0]}],["c"],3,3,"cosine",true]
            """.ReplaceLineEndings(""),
            json.ToJsonString()
        );
    }

    [Theory]
    [InlineData("cosine", "vector", """[["a",1],["b",0.6],["c",-1]]""")]
    [InlineData("euclidean", "vector", """[["a",0],["b",4],["c",5]]""")]
    [InlineData("dot-product", "vector", """[["b",9],["a",9],["c",-6]]""")]
    [InlineData("dot-product", "halfvec", """[["b",9],["a",9],["c",-6]]""")]
    public async Task Score_is_that_of_the_metric_and_the_best_match_is_first(string metric, string type, string expected)
    {
        fixture.Require();
        var index = $"m-{metric}-{type}";
        await fixture.CreateAsync(
            index,
            2,
            $$"""{"metric": "{{metric}}", "type": "{{type}}", "read": "authenticated", "write": "authenticated"}"""
        );
        var json = await fixture.RunAsync(
            index,
            """
            await V.upsert([{ id: "a", values: [3, 0] }, { id: "b", values: [3, 4] }, { id: "c", values: [-2, 0] }]);
            const { matches } = await V.query([3, 0]);
            return matches.map((m) => [m.id, Math.round(m.score * 1e7) / 1e7]);
            """
        );
        var (sorted, wanted) = (json.AsArray(), System.Text.Json.Nodes.JsonNode.Parse(expected)!.AsArray());
        Assert.Equal(wanted.Select(one => (double)one![1]!), sorted.Select(one => (double)one![1]!));
        Assert.Equal(wanted.Select(one => (string)one![0]!).Order(), sorted.Select(one => (string)one![0]!).Order());
        Assert.Equal("c", (string)sorted[2]![0]!);
    }

    [Fact]
    public async Task Namespace_limits_a_search_and_queryById_finds_neighbours()
    {
        fixture.Require();
        await fixture.CreateAsync("spaces", 2, Everyone);
        var json = await fixture.RunAsync(
            "spaces",
            """
            await V.insert([{ id: "a", values: [1, 0], namespace: "one" }, { id: "b", values: [1, 0.1], namespace: "two" },
              { id: "c", values: [1, 0.2], namespace: "one" }]);
            const ids = ({ matches }) => matches.map((m) => m.id + (m.namespace ?? ""));
            return [ids(await V.query([1, 0])), ids(await V.query([1, 0], { namespace: "one" })), ids(await V.query([1, 0], { namespace: "none" })),
              ids(await V.queryById("b", { topK: 2 })), ids(await V.queryById("b", { namespace: "one", topK: 1 })),
              ids(await V.query([1, 0], { topK: 1, exact: true })), await V.queryById("none").catch((e) => e.code)];
            """
        );
        Assert.Equal("""[["aone","btwo","cone"],["aone","cone"],[],["btwo","cone"],["cone"],["aone"],"PGFN5908"]""", json.ToJsonString());
    }

    [Fact]
    public async Task Matches_worse_than_minScore_are_left_out()
    {
        fixture.Require();
        await fixture.CreateAsync("near", 2, Everyone);
        await fixture.CreateAsync("far", 2, """{"metric": "euclidean", "read": "authenticated", "write": "authenticated"}""");
        const string Body = """
            await V.upsert([{ id: "a", values: [1, 0] }, { id: "b", values: [1, 1] }, { id: "c", values: [-1, 0] }]);
            return (await V.query([1, 0], { minScore: LIMIT })).matches.map((m) => m.id);
            """;
        Assert.Equal(
            """["a","b"]""",
            (await fixture.RunAsync("near", Body.Replace("LIMIT", "0.5", StringComparison.Ordinal))).ToJsonString()
        );
        Assert.Equal("""["a","b"]""", (await fixture.RunAsync("far", Body.Replace("LIMIT", "1", StringComparison.Ordinal))).ToJsonString());
    }

    [Fact]
    public async Task Vectors_are_listed_in_the_order_of_their_ids_page_by_page()
    {
        fixture.Require();
        await fixture.CreateAsync("listed", 1, Everyone);
        var json = await fixture.RunAsync(
            "listed",
            """
            await V.insert(["b", "\u{1f600}", "a", "ä", "Z", "\uffee"].map((id) => ({ id, values: [1] })));
            await V.insert([{ id: "n", values: [1], namespace: "x" }]);
            const pages = [];
            let cursor;
            do {
              const page = await V.listVectors({ limit: 3, cursor });
              pages.push(page.vectors.map((v) => v.id));
              cursor = page.nextCursor;
            } while (cursor);
            return [pages, (await V.listVectors({ namespace: "x" })).vectors, await V.listVectors({ cursor: "no base64!" }).catch((e) => e.code)];
            """
        );
        Assert.Equal(
            ["Z", "a", "b", "n", "ä", "\uffee", "\U0001f600"],
            json[0]!.AsArray().SelectMany(page => page!.AsArray()).Select(id => (string)id!)
        );
        Assert.Equal([3, 3, 1], json[0]!.AsArray().Select(page => page!.AsArray().Count));
        Assert.Equal("""[{"id":"n"}]""", json[1]!.ToJsonString());
        Assert.Equal("PGFN5400", (string?)json[2]);
    }

    [Fact]
    public async Task Hybrid_search_fuses_the_places_of_vectors_and_words()
    {
        fixture.Require();
        await fixture.CreateAsync("hybrid", 2, """{"text_search": "english", "read": "authenticated", "write": "authenticated"}""");
        var json = await fixture.RunAsync(
            "hybrid",
            """
            await V.insert([
              { id: "both", values: [1, 0.1], document: "Cats sleep in warm places" },
              { id: "vector", values: [1, 0], document: "Nothing of interest" },
              { id: "words", values: [0, 1], document: "A cat, cats, cats and more sleeping cats" },
              { id: "neither", values: [0, -1] },
            ]);
            const query = (options) => V.query([1, 0], { topK: 3, ...options }).then((r) => r.matches.map((m) => m.id));
            return [await query({ text: "cat sleeping" }), await query({ text: "cat sleeping", textWeight: 1, topK: 2 }), await query({ text: "cats", textWeight: 0, topK: 1 }),
              await query({ text: "'; drop table x; --" }), (await V.query([1, 0], { topK: 1, text: "nothing interesting", returnDocument: true })).matches];
            """
        );
        Assert.Equal("both", (string?)json[0]![0]);
        Assert.Equal("words", (string?)json[1]![0]);
        Assert.Equal("vector", (string?)json[2]![0]);
        Assert.Equal(3, json[3]!.AsArray().Count);
        Assert.Equal("""[{"id":"vector","score":1,"document":"Nothing of interest"}]""", json[4]!.ToJsonString());
    }

    [Theory]
    [InlineData("V.index('no-such-index').describe()", "PGFN5901")]
    [InlineData("V.index('a\\0b').describe()", "PGFN5901")]
    [InlineData("V.index('x\" y').describe()", "PGFN5901")]
    [InlineData("V.query([1, 2])", "PGFN5905")]
    [InlineData("V.query([1, 2, NaN])", "PGFN5905")]
    [InlineData("V.query([1, 2, 1e39])", "PGFN5905")]
    [InlineData("V.query([0, 0, 0])", "PGFN5905")]
    [InlineData("V.query(5)", "TypeError")]
    [InlineData("V.query('the index has no model')", "PGFN5902")]
    [InlineData("V.query([1, 2, '3'])", "TypeError")]
    [InlineData("V.query([1, 2, 3], { topK: 101 })", "PGFN5902")]
    [InlineData("V.query([1, 2, 3], { topK: 0 })", "PGFN5902")]
    [InlineData("V.query([1, 2, 3], { textWeight: 2, text: 'x' })", "PGFN5902")]
    [InlineData("V.query([1, 2, 3], { namespace: 'n'.repeat(65) })", "PGFN5902")]
    [InlineData("V.query([1, 2, 3], { filter: { a: { $no: 1 } } })", "PGFN5903")]
    [InlineData("V.insert([])", "PGFN5902")]
    [InlineData("V.insert(Array.from({ length: 1001 }, (_, i) => ({ id: 'i' + i, values: [1, 2, 3] })))", "PGFN5902")]
    [InlineData("V.insert([{ id: '', values: [1, 2, 3] }])", "PGFN5902")]
    [InlineData("V.insert([{ id: 'ä'.repeat(33), values: [1, 2, 3] }])", "PGFN5902")]
    [InlineData("V.insert([{ id: 'a\\0b', values: [1, 2, 3] }])", "PGFN5902")]
    [InlineData("V.insert([{ id: 'x', values: [1, 2] }])", "PGFN5905")]
    [InlineData("V.insert([{ id: 'x', values: [1, 2, 3], metadata: { 'a.b': 1 } }])", "PGFN5904")]
    [InlineData("V.insert([{ id: 'x', values: [1, 2, 3], metadata: { a: { $b: 1 } } }])", "PGFN5904")]
    [InlineData("V.insert([{ id: 'x', values: [1, 2, 3], metadata: { a: 'x'.repeat(10241) } }])", "PGFN5904")]
    [InlineData("V.insert([{ id: 'x', values: [1, 2, 3], metadata: [1] }])", "PGFN5904")]
    [InlineData("V.deleteByIds([])", "PGFN5902")]
    public async Task What_is_not_allowed_has_a_code(string expression, string code)
    {
        fixture.Require();
        await fixture.CreateAsync("strict", 3, Everyone);
        Assert.Equal(code, await fixture.CodeAsync("strict", expression));
    }

    [Fact]
    public async Task Index_that_changes_is_used_as_it_is_now()
    {
        fixture.Require();
        await fixture.CreateAsync("changing", 2, Everyone);
        const string Body = "await V.upsert([{ id: 'a', values: [2, 0] }]); return [(await V.query([2, 0])).matches[0].score]";
        Assert.Equal("[1]", (await fixture.RunAsync("changing", Body)).ToJsonString());
        await fixture.CreateAsync(
            "changing",
            2,
            """{"metric": "dot", "type": "halfvec", "m": 8, "read": "authenticated", "write": "authenticated"}"""
        );
        await Eventually.HoldsAsync(async () => (await fixture.RunAsync("changing", Body)).ToJsonString() == "[4]");
        var refused = await Assert.ThrowsAsync<PostgresException>(() => fixture.CreateAsync("changing", 3, "{}"));
        Assert.Contains("has vectors", refused.MessageText, StringComparison.Ordinal);
        await fixture.Sidecar.Database.ExecuteAsync("truncate functions_vectors.changing");
        await fixture.CreateAsync("changing", 1, """{"read": "authenticated", "write": "authenticated"}""");
        await Eventually.HoldsAsync(async () => await fixture.CodeAsync("changing", "V.query([1])") is null);
        await fixture.Sidecar.Database.ExecuteAsync("select functions.drop_vector_index('changing')");
        await Eventually.HoldsAsync(async () => await fixture.CodeAsync("changing", "V.describe()") == "PGFN5901");
    }

    [Theory]
    [InlineData("select functions.create_vector_index('Bad Name', 3)", "is not a name of a vector index")]
    [InlineData("select functions.create_vector_index('c', 0)", "dimensions must be from 1 to 2000")]
    [InlineData("select functions.create_vector_index('c', 2001)", "dimensions must be from 1 to 2000")]
    [InlineData("select functions.create_vector_index('c', 4001, '{\"type\": \"halfvec\"}')", "dimensions must be from 1 to 4000")]
    [InlineData("select functions.create_vector_index('c', 3, '{\"metric\": \"manhattan\"}')", "option metric must be \"cosine\"")]
    [InlineData("select functions.create_vector_index('c', 3, '{\"m\": 40}')", "at least twice m")]
    [InlineData("select functions.create_vector_index('c', 3, '{\"text_search\": \"klingon\"}')", "text search configuration")]
    [InlineData("select functions.create_vector_index('c', 3, '{\"read\": \"postgres\"}')", "functions may not run as")]
    [InlineData("select functions.create_vector_index('c', 3, '{\"reed\": \"anon\"}')", "unknown option")]
    [InlineData("select functions.create_vector_index('c', 3, '[]')", "must be a JSON object")]
    [InlineData("select functions.drop_vector_index('no-such-index')", "There is no vector index")]
    public async Task Invalid_calls_say_what_is_wrong(string sql, string reason)
    {
        fixture.Require();
        var refused = await Assert.ThrowsAsync<PostgresException>(() => fixture.Sidecar.Database.ExecuteAsync(sql));
        Assert.Contains(reason, refused.MessageText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task View_shows_options_and_roles()
    {
        fixture.Require();
        await fixture.CreateAsync("viewed", 5, """{"type": "halfvec", "read": ["anon", "authenticated"], "write": "authenticated"}""");
        Assert.Equal(
            "5 halfvec cosine {anon,authenticated,service_role} {authenticated,service_role}",
            await fixture.Sidecar.Database.ScalarAsync<string>(
                "select concat_ws(' ', dimensions, type, metric, readers, writers) from functions.vector_indexes where name = 'viewed' and bytes > 0"
            )
        );
    }

    [Fact]
    public async Task Example_finds_the_most_similar_document()
    {
        fixture.Require();
        await fixture.CreateAsync("example", 256, """{"text_search": "english", "read": "authenticated", "write": "authenticated"}""");
        var example = await fixture.Sidecar.DeployAsync(
            await File.ReadAllTextAsync(Path.Combine(PostgresServer.Root, "examples", "search", "index.js"))
        );
        foreach (var (id, text) in ((string, string)[])[("1", "A cat sleeps on the sofa"), ("2", "The price of copper")])
            await fixture.Sidecar.CallAsync(example, $$$"""{"add": {"id": "{{{id}}}", "text": "{{{text}}}"}}""");
        var found = await fixture.Sidecar.CallAsync(example, """{"query": "sleeping cats"}""");
        Assert.Equal("A cat sleeps on the sofa", (string?)found![0]!["document"]);
    }

    [Fact]
    public async Task Database_without_pgvector_says_what_to_do()
    {
        await using var database = await TestDatabase.CreateAsync();
        var refused = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync("select functions.create_vector_index('x', 3)")
        );
        Assert.Equal("0A000", refused.SqlState);
        Assert.Contains("create extension vector;", refused.Hint, StringComparison.Ordinal);
    }
}
