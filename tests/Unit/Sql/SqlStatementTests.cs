using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;

namespace Functions.PgSidecar.Tests.Unit.Sql;

public sealed class SqlStatementTests
{
    [Theory]
    [InlineData("select ?", "select $1", 1)]
    [InlineData("select ?, ?, ?2, ?", "select $1, $2, $2, $3", 3)]
    [InlineData("select ?3, ?", "select $3, $4", 4)]
    [InlineData("values (?1,?1)", "values ($1,$1)", 1)]
    [InlineData(
        "select '?', \"?\", E'\\'?', $$?$$, $t$ ? $t$, ? -- ?\n /* ? /* ? */ */ limit 1",
        "select '?', \"?\", E'\\'?', $$?$$, $t$ ? $t$, $1 -- ?\n /* ? /* ? */ */ limit 1",
        1
    )]
    [InlineData("select U&'?', N'?', b'1', x'F', ?", "select U&'?', N'?', b'1', x'F', $1", 1)]
    [InlineData("select E'a' -- c'\n 'b\\'?' , ?", "select E'a' -- c'\n 'b\\'?' , $1", 1)]
    [InlineData("select data ?| ?, data ?& ?, data @? ?, ?||'x'", "select data ?| $1, data ?& $2, data @? $3, $4||'x'", 4)]
    [InlineData("select data ? $1", "select data ? $1", 1)]
    [InlineData("select data ?| array['a'] and b = $2", "select data ?| array['a'] and b = $2", 2)]
    [InlineData("select a$1b, $1", "select a$1b, $1", 1)]
    [InlineData("select col?;", "select col$1", 1)]
    public void Placeholders_are_translated_only_outside_of_literals_and_comments(string sql, string text, int count)
    {
        var statement = SqlStatement.Parse(sql, translatePlaceholders: true);
        Assert.Equal((text, count), (statement.Text, statement.ParameterCount));
    }

    [Fact]
    public void Without_parameters_a_question_mark_is_an_operator()
    {
        var statement = SqlStatement.Parse("select data ? 'key'", translatePlaceholders: false);
        Assert.Equal(("select data ? 'key'", 0), (statement.Text, statement.ParameterCount));
    }

    [Theory]
    [InlineData("select 1", StatementKind.Data, "SELECT")]
    [InlineData("  /* c */ (((select 1)))", StatementKind.Data, "SELECT")]
    [InlineData("VALUES (1)", StatementKind.Data, "VALUES")]
    [InlineData("table t", StatementKind.Data, "TABLE")]
    [InlineData("with x as (insert into t values (1) returning *) select * from x", StatementKind.Data, "WITH")]
    [InlineData("merge into t using s on true when matched then delete", StatementKind.Data, "MERGE")]
    [InlineData("insert into \"into\" select 1", StatementKind.Data, "INSERT")]
    [InlineData("select \"into\", 'into' from t -- into", StatementKind.Data, "SELECT")]
    [InlineData("select 1 into t", StatementKind.SelectInto, "SELECT")]
    [InlineData("explain select 1", StatementKind.Explain, "EXPLAIN")]
    [InlineData("explain (analyze, buffers) update t set a = 1", StatementKind.Explain, "EXPLAIN")]
    [InlineData("explain analyze verbose with x as (select 1) select 1", StatementKind.Explain, "EXPLAIN")]
    [InlineData("explain analyze create table t as select 1", StatementKind.Definition, "EXPLAIN")]
    [InlineData("explain (select 1 into t)", StatementKind.SelectInto, "EXPLAIN")]
    [InlineData("explain explain select 1", StatementKind.Unknown, "EXPLAIN")]
    [InlineData("create table t (id int)", StatementKind.Definition, "CREATE")]
    [InlineData("do $$ begin end $$", StatementKind.Service, "DO")]
    [InlineData("Commit", StatementKind.TransactionControl, "COMMIT")]
    [InlineData("set role x", StatementKind.Setting, "SET")]
    [InlineData("listen x", StatementKind.Session, "LISTEN")]
    [InlineData("copy t from stdin", StatementKind.Copy, "COPY")]
    [InlineData("\"select\" 1", StatementKind.Unknown, "")]
    [InlineData("selectt 1", StatementKind.Unknown, "SELECTT")]
    [InlineData("\u00a0select 1", StatementKind.Unknown, "\u00a0SELECT")]
    public void Statement_kind_ignores_comments_and_literals(string sql, StatementKind kind, string command)
    {
        var statement = SqlStatement.Parse(sql, translatePlaceholders: false);
        Assert.Equal((kind, command), (statement.Kind, statement.Command));
    }

    [Theory]
    [InlineData("a; b ;; c", new[] { "a", "b", "c" })]
    [InlineData(
        "select ';'; select $$;$$; select \";\"; select E'\\';'",
        new[] { "select ';'", "select $$;$$", "select \";\"", "select E'\\';'" }
    )]
    [InlineData(
        "create rule r as on insert to t do also (insert into u values (1); delete from v); x",
        new[] { "create rule r as on insert to t do also (insert into u values (1); delete from v)", "x" }
    )]
    [InlineData(
        "create or replace function f() returns int begin atomic; select case when true then 1 end; select 2; end; x",
        new[] { "create or replace function f() returns int begin atomic; select case when true then 1 end; select 2; end", "x" }
    )]
    [InlineData(
        "create procedure p() language sql begin atomic; insert into t values (1); end; x",
        new[] { "create procedure p() language sql begin atomic; insert into t values (1); end", "x" }
    )]
    [InlineData("create table t (atomic int); begin; x", new[] { "create table t (atomic int)", "begin", "x" })]
    [InlineData("select 1 -- ; a\n; /* ; /* ; */ */ select 2", new[] { "select 1", "select 2" })]
    [InlineData("", new string[0])]
    public void Script_is_split_at_the_semicolons_between_statements(string script, string[] statements) =>
        Assert.Equal(statements, SqlScript.Split(script).Select(part => part.Text));

    [Theory]
    [InlineData("select 'a", 8)]
    [InlineData("select 'é😀' || \"a", 16)]
    [InlineData("select $x$ a $y$", 8)]
    [InlineData("select /* /* */ 1", 8)]
    [InlineData("select E'a\\'", 8)]
    public void Unterminated_literal_is_refused_with_the_position_of_its_start(string sql, int position)
    {
        var exception = Assert.Throws<FunctionSqlException>(() => SqlStatement.Parse(sql, translatePlaceholders: true));
        Assert.Equal(("42601", position), (exception.Code, exception.Position));
    }

    [Fact]
    public void Script_with_too_many_statements_is_refused()
    {
        var script = string.Concat(Enumerable.Repeat("a;", 200_000));
        var refused = Assert.Throws<FunctionSqlException>(() => SqlStatement.ParseScript(script));
        Assert.Equal(SqlErrorCodes.StatementCount, refused.Code);
        Assert.Equal(
            SqlErrorCodes.StatementCount,
            Assert.Throws<FunctionSqlException>(() => SqlStatement.Parse(script, translatePlaceholders: true)).Code
        );
        Assert.Equal(
            SqlErrorCodes.StatementCount,
            Assert
                .Throws<FunctionSqlException>(() =>
                    PreparedStatement.CreateBatch(
                        [.. Enumerable.Repeat(new FunctionStatement("select 1"), SqlScript.MaxStatements + 1)],
                        isService: false
                    )
                )
                .Code
        );

        Assert.Equal(SqlScript.MaxStatements, SqlStatement.ParseScript(script[..(2 * SqlScript.MaxStatements)]).Count);
    }

    [Fact]
    public void Text_longer_than_the_limit_is_refused_before_parsing()
    {
        var longest = "select '" + new string('x', SqlScript.MaxLength - 9) + "'";
        Assert.Equal(longest, SqlStatement.Parse(longest, translatePlaceholders: false).Text);

        // The unterminated literal would be another error if the text were parsed.
        var refused = Assert.Throws<FunctionSqlException>(() => SqlStatement.Parse(longest + "'", translatePlaceholders: false));
        Assert.Equal(SqlErrorCodes.TextTooLong, refused.Code);
    }

    [Fact]
    public void Every_statement_of_a_script_knows_how_many_characters_precede_it() =>
        Assert.Equal([1, 14, 20], SqlScript.Split(" select 'é😀'; b\n😀; ;c").Select(part => part.CharacterOffset));

    [Theory]
    [InlineData("select ?, x", 12, 11)]
    [InlineData("select ?10, ?, x", 18, 16)]
    [InlineData("select '😀', ?, x", 17, 16)]
    public void Position_in_the_sent_text_maps_back_to_the_original(string sql, int sent, int written)
    {
        var statement = SqlStatement.Parse(sql, translatePlaceholders: true);
        Assert.Equal(written, statement.OriginalPosition(sent));
    }

    [Theory]
    [InlineData("select set_config ('a', 'b', true)", "set_config()")]
    [InlineData("select pg_catalog.\"lo_create\"/**/(0)", "lo_create()")]
    [InlineData("select U&\"x\"", "names written as U&\"...\"")]
    [InlineData("select 'set_config(1)', \"set_config\" from t", null)]
    [InlineData("select name, setting from pg_settings", null)]
    [InlineData("with x as (update pg_settings set setting = 1) select 1", "writing to pg_settings")]
    [InlineData("select pg_advisory_xact_lock(1)", "pg_advisory_xact_lock()")]
    public void Calls_reserved_to_the_service_role_are_detected(string sql, string? refused) =>
        Assert.Equal(refused, SqlStatement.Parse(sql, translatePlaceholders: false).RefusedForUsers);
}
