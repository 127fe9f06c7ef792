using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>Which conditions are valid, and the errors of invalid ones.</summary>
public sealed class ConditionCheckTests
{
    [Theory]
    [InlineData("new.n", "the condition must be type boolean")]
    [InlineData("new.nope = 1", "column new.nope does not exist")]
    [InlineData("n = 1", "ambiguous")]
    [InlineData("new.n = ", "syntax error")]
    [InlineData("max(new.n) > 1", "aggregate functions are not allowed")]
    [InlineData("row_number() over () = 1", "window functions are not allowed")]
    [InlineData("generate_series(1, new.n) > 1", "set-returning functions are not allowed")]
    [InlineData("exists (select 1)", "can't have a subquery")]
    [InlineData("new.n in (values (1))", "can't have a subquery")]
    [InlineData("true); drop table t; select (true", "without a semicolon")]
    [InlineData("new.n = $1", "parameters")]
    [InlineData("new.double > 1", "column \"double\" is generated")]
    [InlineData("nope(new.n)", "function nope(integer) does not exist")]
    [InlineData("secret.f(new.n)", "permission denied for schema secret")]
    public async Task Invalid_condition_is_refused_with_the_reason_and_a_hint(string condition, string reason)
    {
        Assert.SkipWhen(
            condition.Contains("double", StringComparison.Ordinal) && await (await PostgresServer.GetAsync()).GetVersionAsync() >= 18,
            "This server's WAL has stored generated columns."
        );
        await using var harness = await StageAsync();
        var error = await harness.RefusedAsync("t", condition);
        Assert.StartsWith("option when: ", error.MessageText, StringComparison.Ordinal);
        Assert.Contains(reason, error.MessageText, StringComparison.Ordinal);
        Assert.NotNull(error.Hint);
    }

    [Theory]
    [InlineData("new.s = 'select; '' from' -- and with a comment")]
    [InlineData("new is distinct from old")]
    [InlineData("to_jsonb(new) ? 'n'")]
    [InlineData("new.\"Odd \"\"name\" is null and new.selected")]
    [InlineData("new.e > 'low' and new.es = '{low}'")]
    [InlineData("old is null and new.n between 1 and 3 and new.j ->> 'a' = 'b'")]
    public async Task Valid_condition_is_accepted(string condition)
    {
        await using var harness = await StageAsync();
        await harness.ValidateAsync("t", condition);
    }

    [Fact]
    public async Task Values_have_the_types_of_their_columns()
    {
        await using var harness = await StageAsync();
        await harness.ValidateAsync("t", "new.e > 'low'");
        (string, string)[] row =
        [
            ("n", "12"),
            ("s", "a\\\"b"),
            ("e", "high"),
            ("es", "{low,high}"),
            ("j", """{"a":"b"}"""),
            ("b", "\\x00ff"),
            ("selected", "t"),
        ];
        foreach (
            var condition in (string[])
                [
                    "new.n > 9",
                    "new.e > 'low'",
                    "new.es = '{low,high}'",
                    "new.j ->> 'a' = 'b'",
                    "new.b = '\\x00ff'",
                    "new.selected",
                    "old is null",
                    "old.n is null",
                    "new is distinct from old",
                    "to_jsonb(new) -> 'n' = '12'",
                    "(to_jsonb(new) ->> 'e') = 'high'",
                    "new.s = E'a\\\\\"b'",
                ]
        )
            Assert.True(await harness.AskAsync("t", condition, row), condition);
    }

    [Fact]
    public async Task Error_for_a_type_in_an_inaccessible_schema_names_the_remedy()
    {
        await using var harness = await StageAsync();
        await harness.Database.ExecuteAsync(
            """
            create type secret.kind as enum ('a', 'b');
            create table u (x secret.kind);
            grant usage on schema secret to authenticated;
            grant usage on schema functions_private to authenticated;
            grant execute on function functions_private.validate_condition(text, text, regclass, text), functions_private.condition_type(oid), functions_private.has_unmatched_parenthesis(text) to authenticated;
            """
        );
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            harness.Database.ExecuteAsync(
                "begin; set local role authenticated; select functions_private.validate_condition('when', 'new.x = ''a''', 'u', 'e'); commit"
            )
        );
        Assert.Equal("grant usage on schema secret to pgfn_conditions;", error.Hint);
        await harness.ValidateAsync("u", "new.x > 'a'");
        Assert.True(await harness.AskAsync("u", "new.x > 'a'", ("x", "b")));
    }

    private static async Task<ConditionHarness> StageAsync()
    {
        var harness = await ConditionHarness.CreateAsync();
        await harness.Database.ExecuteAsync(
            """
            create schema types;
            create schema secret;
            create function secret.f(int) returns boolean language sql as 'select true';
            create type types.level as enum ('low', 'high', 'above');
            create table t (n int, s text, "Odd ""name" int, e types.level, es types.level[], j jsonb, b bytea, selected boolean,
                double int generated always as (n * 2) stored);
            """
        );
        return harness;
    }
}
