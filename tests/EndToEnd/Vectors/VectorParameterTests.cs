using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Vectors;

/// <summary>Vectors as parameters and results of <c>db.query</c> and <c>env.DB</c>.</summary>
public sealed class VectorParameterTests(VectorFixture fixture) : IClassFixture<VectorFixture>
{
    [Fact]
    public async Task Arrays_are_vectors_where_the_statement_has_one_and_come_back_as_arrays()
    {
        fixture.Require();
        await PrepareAsync();
        var json = await RunAsync(
            """
            const insert = "insert into items (id, v, h, s, r, b) values ($1, $2, $3, $4, $5, $6)";
            await db.query(insert, [1, [1, -2.5, 1e-7], [0.5, 1, 2], [0, 0.5, 0], [1, 2.5], new Uint8Array([1, 2])]);
            const f = new Float32Array([0.1, 2, -3]), d = new Float64Array([0.1, 2, -3]);
            await db.query(insert, [2, f, d, f, d, f]);
            await db.query(insert, [3, "[3,2,1]", null, "{1:1}/3", [], null]);
            const rows = await db.query("select id, v, h, s, r, octet_length(b) b, array[v, v] vs from items where id < 100 order by id");
            const near = await db.query("select id from items order by v operator(ext.<->) $1 limit $2", [[0.1, 2, -3], 1]);
            const d1 = await env.DB.prepare("select id from items where v operator(ext.=) ? and id = any(?)").bind([3, 2, 1], [1, 2, 3]).first("id");
            return [rows, rows.fields.map((x) => x.type), near, d1];
            """
        );
        Assert.Equal(
            """
            [[{"id":1,"v":[1,-2.5,1e-07],"h":[0.5,1,2],"s":[0,0.5,0],"r":[1,2.5],"b":2,"vs":[[1,-2.5,1e-07],[1,-2.5,1e-07]]},
            {"id":2,"v":[0.1,2,-3],"h":[0.099975586,2,-3],"s":[0.1,2,-3],"r":[0.1,2,-3],"b":12,"vs":[[0.1,2,-3],[0.1,2,-3]]},
            {"id":3,"v":[3,2,1],"h":null,"s":[1,0,0],"r":[],"b":null,"vs":[[3,2,1],[3,2,1]]}],
            ["int4","vector","halfvec","sparsevec","float4[]","int4","vector[]"],[{"id":2}],3]
            """.ReplaceLineEndings(""),
            json.Replace("1e-7", "1e-07", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Vectors_pass_in_batches_and_transactions_also_if_a_column_changes_its_type()
    {
        fixture.Require();
        await PrepareAsync();
        await fixture.Sidecar.Database.ExecuteAsync("create table turning (v real[]); grant select, insert on turning to authenticated");
        const string Body = """
            const [, rows] = await db.batch([["insert into items (id, v) values ($1, $2)", [ID, [1, 2, 3]]], ["select v from items where id = $1", [ID]]]);
            const inside = await db.transaction(async (tx) => (await tx.query("select $1::ext.vector as v, $2::int[] as n", [[4, 5], [4, 5]]))[0]);
            let turned;
            try { turned = await db.query("insert into turning values ($1) returning v", [[1, 2]]); }
            catch { turned = await db.query("insert into turning values ($1) returning v", [[1, 2]]); }
            return [rows, inside, turned];
            """;
        const string Expected = """[[{"v":[1,2,3]}],{"v":[4,5],"n":[4,5]},[{"v":[1,2]}]]""";
        Assert.Equal(Expected, await RunAsync(Body.Replace("ID", "100", StringComparison.Ordinal)));
        await fixture.Sidecar.Database.ExecuteAsync("alter table turning alter column v type ext.vector using v::ext.vector");
        Assert.Equal(Expected, await RunAsync(Body.Replace("ID", "101", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("db.query('select $1::ext.vector(3) v', [[1, 2]])", "22000")]
    [InlineData("db.query('select $1::ext.vector v', [[1, NaN]])", "22P02")]
    [InlineData("db.query('select * from nowhere where v = $1', [[1, 2]])", "42P01")]
    [InlineData("db.transaction((tx) => tx.query('select * from nowhere where v = $1', [[1, 2]]))", "42P01")]
    [InlineData("db.query('select $1 operator(ext.<->) v from items', ['[1]'])", "22000")]
    public async Task Wrong_vector_is_the_error_of_PostgreSQL(string expression, string code)
    {
        fixture.Require();
        await PrepareAsync();
        await RunAsync("await db.query('insert into items (id, v) values (1000, $1) on conflict do nothing', [[1, 2, 3]]); return 0");
        Assert.Equal($"\"{code}\"", await RunAsync($"return JSON.stringify(await {expression}.then(() => 'none', (e) => e.code))"));
    }

    /// <summary>A type of the application named vector writes other text than pgvector's: as JSON it would break the result.</summary>
    [Fact]
    public async Task Type_of_the_same_name_is_text()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("create type vector as enum ('],\"rows\":[[1]]', '[1]')");
        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        await database.ExecuteAsync(
            "select functions.deploy('f', $$ export const handler = async () => (await db.query(`select enum_range(null::vector) v, '[1]'::vector w`))[0] $$)"
        );
        await database.ExecuteAsync("call functions.wait_ready('f', timeout => '2 minutes')");
        using var http = new HttpClient { BaseAddress = sidecar.Url };
        http.DefaultRequestHeaders.Authorization = new("Bearer", Tokens.For("authenticated", null));
        using var response = await http.PostAsync(new Uri("/functions/v1/invoke/f", UriKind.Relative), new StringContent("{}"));
        Assert.Equal("""{"v":["],\"rows\":[[1]]","[1]"],"w":"[1]"}""", await response.Content.ReadAsStringAsync());
    }

    private Task PrepareAsync() =>
        fixture.Sidecar.Database.ExecuteAsync(
            """
            create table if not exists items (id int primary key, v ext.vector(3), h ext.halfvec(3), s ext.sparsevec(3), r real[], b bytea);
            grant select, insert on items to authenticated;
            """
        );

    private async Task<string> RunAsync(string body)
    {
        var function = await fixture.Sidecar.DeployAsync($"export async function handler() {{ {body} }}");
        using var response = await fixture.Sidecar.PostAsync(function);
        return await response.Content.ReadAsStringAsync();
    }
}
