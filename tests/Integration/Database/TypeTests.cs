using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

public sealed class TypeTests(TypeTests.Types types) : IClassFixture<TypeTests.Types>
{
    [Theory]
    [InlineData("true", "bool", "true")]
    [InlineData("false", "bool", "false")]
    [InlineData("null::int", "int4", "null")]
    [InlineData("(-32768)::int2", "int2", "-32768")]
    [InlineData("2147483647", "int4", "2147483647")]
    [InlineData("9007199254740991", "int8", "9007199254740991")]
    [InlineData("-9007199254740991::int8", "int8", "-9007199254740991")]
    [InlineData("9007199254740992", "int8", "\"9007199254740992\"")]
    [InlineData("(-9223372036854775808)::int8", "int8", "\"-9223372036854775808\"")]
    [InlineData("4294967295::oid", "oid", "4294967295")]
    [InlineData("0.1::float8 + 0.2::float8", "float8", "0.30000000000000004")]
    [InlineData("1e300::float8", "float8", "1e+300")]
    [InlineData("'-0'::float8", "float8", "-0")]
    [InlineData("3.14::float4", "float4", "3.14")]
    [InlineData("'NaN'::float8", "float8", "\"NaN\"")]
    [InlineData("'-Infinity'::float4", "float4", "\"-Infinity\"")]
    [InlineData("123456789012345678901234567890.50", "numeric", "\"123456789012345678901234567890.50\"")]
    [InlineData("'NaN'::numeric", "numeric", "\"NaN\"")]
    [InlineData("'plain \"quoted\" \\ \t é €😀'", "text", "\"plain \\\"quoted\\\" \\\\ \\t é €\\uD83D\\uDE00\"")]
    [InlineData("''::varchar", "varchar", "\"\"")]
    [InlineData("'ab'::char(4)", "bpchar", "\"ab  \"")]
    [InlineData("'{\"a\": [1, null, \"x\"]}'::jsonb", "jsonb", "{\"a\": [1, null, \"x\"]}")]
    [InlineData("'{\"b\" :1,\"a\":2 }'::json", "json", "{\"b\" :1,\"a\":2 }")]
    [InlineData("'null'::jsonb", "jsonb", "null")]
    [InlineData("timestamptz '2026-02-06 10:00:00.25+01'", "timestamptz", "\"2026-02-06T09:00:00.25Z\"")]
    [InlineData("timestamptz '2026-02-06 09:00:00.123456Z'", "timestamptz", "\"2026-02-06T09:00:00.123456Z\"")]
    [InlineData("timestamptz 'infinity'", "timestamptz", "\"infinity\"")]
    [InlineData("timestamptz '0044-03-15 12:00:00Z BC'", "timestamptz", "\"0044-03-15 12:00:00+00 BC\"")]
    [InlineData("timestamp '2026-02-06 09:00:00'", "timestamp", "\"2026-02-06T09:00:00\"")]
    [InlineData("timestamp '-infinity'", "timestamp", "\"-infinity\"")]
    [InlineData("date '2026-02-06'", "date", "\"2026-02-06\"")]
    [InlineData("time '09:00:00.5'", "time", "\"09:00:00.5\"")]
    [InlineData("interval '1 year 2 days 03:04:05'", "interval", "\"1 year 2 days 03:04:05\"")]
    [InlineData("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", "uuid", "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"")]
    [InlineData("'\\x00ff10'::bytea", "bytea", "\"AP8Q\"")]
    [InlineData("''::bytea", "bytea", "\"\"")]
    [InlineData("int4range(1, 5)", "int4range", "\"[1,5)\"")]
    [InlineData("'{[1,3), [5,7)}'::int4multirange", "int4multirange", "\"{[1,3),[5,7)}\"")]
    [InlineData("'happy'::mood", "mood", "\"happy\"")]
    [InlineData("5::positive", "int4", "5")]
    [InlineData("inet '10.0.0.1/8'", "inet", "\"10.0.0.1/8\"")]
    [InlineData("point '(1,2)'", "point", "\"(1,2)\"")]
    [InlineData("xml '<a/>'", "xml", "\"<a/>\"")]
    [InlineData("b'101'", "bit", "\"101\"")]
    [InlineData("row(1, 'x')", "record", "\"(1,x)\"")]
    public Task A_value_arrives_as(string expression, string type, string json) => ArrivesAsync(expression, type, json);

    [Theory]
    [InlineData("'{}'::int[]", "int4[]", "[]")]
    [InlineData("array[1, null, 3]", "int4[]", "[1,null,3]")]
    [InlineData("array[[1,2],[3,4]]::int8[]", "int8[]", "[[1,2],[3,4]]")]
    [InlineData("'[0:1][-1:0]={{1,2},{3,4}}'::int4[]", "int4[]", "[[1,2],[3,4]]")]
    [InlineData("array[9007199254740993, 1]", "int8[]", "[\"9007199254740993\",1]")]
    [InlineData(
        "array['a,b', '\"q\"', '\\', '', null, 'NULL', '{x}', ' s ']",
        "text[]",
        "[\"a,b\",\"\\\"q\\\"\",\"\\\\\",\"\",null,\"NULL\",\"{x}\",\" s \"]"
    )]
    [InlineData("array[true, false]", "bool[]", "[true,false]")]
    [InlineData("array['{\"a\": \"x\\\"y\"}']::jsonb[]", "jsonb[]", "[{\"a\": \"x\\\"y\"}]")]
    [InlineData("array['\\x01'::bytea]", "bytea[]", "[\"AQ==\"]")]
    [InlineData("array[timestamptz '2026-02-06 09:00:00Z']", "timestamptz[]", "[\"2026-02-06T09:00:00Z\"]")]
    [InlineData("array['sad', 'happy']::mood[]", "mood[]", "[\"sad\",\"happy\"]")]
    [InlineData("array[1, 2]::positive[]", "int4[]", "[1,2]")]
    [InlineData("array[box '(1,1),(0,0)', box '(2,2),(0,0)']", "box[]", "[\"(1,1),(0,0)\",\"(2,2),(0,0)\"]")]
    [InlineData("'1 2'::int2vector", "int2vector", "\"1 2\"")]
    public Task An_array_arrives_as(string expression, string type, string json) => ArrivesAsync(expression, type, json);

    [Theory]
    [InlineData("row('Main St', 7, null)::address", "address", """{"street":"Main St","number":7,"tags":null}""")]
    [InlineData(
        "row('a \"b\" \\c, (d)', null, array['x', 'y \"z\"'])::address",
        "address",
        """{"street":"a \"b\" \\c, (d)","number":null,"tags":["x","y \"z\""]}"""
    )]
    [InlineData("row('', 1, '{}')::address", "address", """{"street":"","number":1,"tags":[]}""")]
    [InlineData("row(1, row('S', 2, null))::person", "person", """{"id":1,"home":{"street":"S","number":2,"tags":null}}""")]
    [InlineData(
        "array[row('A', 1, null), null, row('B', 2, '{t}')]::address[]",
        "address[]",
        """[{"street":"A","number":1,"tags":null},null,{"street":"B","number":2,"tags":["t"]}]"""
    )]
    [InlineData("row(null)::single", "single", """{"sole":null}""")]
    [InlineData(
        "row('\\x01', '{\"k\": [1]}', '2026-02-06 09:00:00Z', 9007199254740993)::mixed",
        "mixed",
        """{"b":"AQ==","j":{"k": [1]},"t":"2026-02-06T09:00:00Z","n":"9007199254740993"}"""
    )]
    public Task A_composite_arrives_as(string expression, string type, string json) => ArrivesAsync(expression, type, json);

    [Fact]
    public async Task Table_row_is_a_composite_and_a_new_column_appears_in_the_next_result()
    {
        await types.Session.Database.ExecuteAsync(
            "create table grown (a int); grant select, insert on grown to anon; insert into grown values (1)"
        );
        Assert.Equal("""{"a":1}""", (await types.Session.QueryAsync(Anonymous, "select g from grown g")).Json);

        await types.Session.Database.ExecuteAsync("alter table grown add b text default 'x'");
        Assert.Equal("\"(1,x)\"", (await types.Session.QueryAsync(Anonymous, "select g from grown g /* anew */")).Json);
        Assert.Equal("""{"a":1,"b":"x"}""", (await types.Session.QueryAsync(Anonymous, "select g from grown g /* anew */")).Json);
    }

    [Theory]
    [InlineData("select $1::int + 1", "41", "42")]
    [InlineData("select $1::text", null, "null")]
    [InlineData("select ($1::jsonb) -> 'a'", """{"a": 1}""", "1")]
    [InlineData("select $1::timestamptz", "2026-02-06T09:00:00Z", "\"2026-02-06T09:00:00Z\"")]
    [InlineData("select $1::bytea", "\\x00ff", "\"AP8=\"")]
    [InlineData("select id from (values (1), (2)) v(id) where id = any($1) and id > 1", "{1,2}", "2")]
    [InlineData("select $1::bool", "t", "true")]
    [InlineData("select $1 || '!'", "é€😀'; drop table notes; --", "\"é€\\uD83D\\uDE00'; drop table notes; --!\"")]
    [InlineData("select jsonb '{\"a\": 1}' ? $1", "a", "true")]
    public async Task Parameter_is_accepted_in_the_servers_text_form(string sql, string? parameter, string json)
    {
        Assert.Equal(json, (await types.Session.QueryAsync(Anonymous, sql, parameter)).Json);
    }

    [Fact]
    public async Task Result_is_valid_JSON_regardless_of_the_sessions_output_settings()
    {
        var result = await types.Session.QueryAsync(
            Anonymous,
            "select disturb(), timestamptz '2026-02-06 09:00:00Z', '\\x01ff'::bytea, interval '1 day', 0.1::float8, array[timestamptz '2026-02-06 09:00:00Z']"
        );
        Assert.Equal(6, result.Rows[0].Length);
        var next = await types.Session.QueryAsync(Anonymous, "select timestamptz '2026-02-06 09:00:00Z'");
        Assert.Equal("\"2026-02-06T09:00:00Z\"", next.Json);
    }

    private async Task ArrivesAsync(string expression, string type, string json)
    {
        var result = await types.Session.QueryAsync(Anonymous, $"select {expression} as value");
        Assert.Equal(("value", type), result.Fields[0]);
        Assert.Equal(json, result.Json);
    }

    /// <summary>One database with the types for the whole class, whose tests only read.</summary>
    public sealed class Types : IAsyncLifetime
    {
        internal FunctionSession Session { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Session = await FunctionSession.CreateAsync();
            await Session.Database.ExecuteAsync(
                """
                create type mood as enum ('sad', 'happy');
                create domain positive as int check (value > 0);
                create type address as (street text, number positive, tags text[]);
                create type person as (id int, home address);
                create type single as (sole int);
                create type mixed as (b bytea, j jsonb, t timestamptz, n int8);
                create function disturb() returns void language plpgsql as $$
                begin
                    perform set_config('datestyle', 'german', false), set_config('bytea_output', 'escape', false),
                            set_config('intervalstyle', 'iso_8601', false), set_config('timezone', 'Asia/Tokyo', false), set_config('extra_float_digits', '-5', false);
                end $$;
                """
            );
        }

        public ValueTask DisposeAsync() => Session.DisposeAsync();
    }
}
