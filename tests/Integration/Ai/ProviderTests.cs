using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>Operators set providers and routes; their credentials are shown nowhere.</summary>
public sealed class ProviderTests : IAsyncLifetime
{
    private AiHarness ai = null!;

    public async ValueTask InitializeAsync() => ai = await AiHarness.StartAsync();

    public async ValueTask DisposeAsync() => await ai.DisposeAsync();

    [Fact]
    public async Task Credentials_are_in_no_table_view_error_or_log()
    {
        var provider = await ai.AddProviderAsync(
            "main",
            options: ", \"headers\": {\"X-Proxy-Key\": \"proxy-secret-42\"}, \"log_contents\": true"
        );
        provider.Enqueue(
            ScriptedAnswer.Failure(400, "the key sk-main-0123456789 with proxy-secret-42 is odd"),
            ScriptedAnswer.Failure(401, "Incorrect API key provided: sk-main-0123456789"),
            OpenAiAnswers.Chat("sk-main-0123456789")
        );

        var refused = await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync("m"));
        var unknown = await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync("m"));
        await ai.AskAsync("m");
        await Eventually.HoldsAsync(async () => await ai.Database.ScalarAsync<long>("select count(*) from functions.ai_calls") == 3);

        Assert.Equal("proxy-secret-42", provider.Requests[0].Headers["x-proxy-key"]);
        foreach (var secret in (string[])["sk-main-0123456789", "proxy-secret-42"])
        {
            Assert.DoesNotContain(secret, refused.ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain(secret, unknown.ToString(), StringComparison.Ordinal);
            // Every row of every table of the sidecar, and every view.
            Assert.Equal("", await TablesWithAsync(secret));
        }
        Assert.Contains("[redacted:api_key]", refused.Message, StringComparison.Ordinal);
        Assert.Equal("{X-Proxy-Key}", await ai.Database.ScalarAsync<string>("select headers::text from functions.ai_providers"));
    }

    [Fact]
    public async Task A_later_call_keeps_the_credentials_and_an_empty_one_removes_them()
    {
        var provider = await ai.AddProviderAsync("main", options: ", \"headers\": {\"a\": \"b\"}");
        await SetAsync($$"""{"base_url": "{{provider.Url}}/v1", "retries": 0}""");
        await ai.AskAsync("m");
        Assert.Equal("Bearer sk-main-0123456789", provider.Requests[^1].Headers["authorization"]);
        Assert.Equal("b", provider.Requests[^1].Headers["a"]);

        await SetAsync($$"""{"base_url": "{{provider.Url}}/v1", "headers": {}, "api_key": ""}""");

        await Eventually.HoldsAsync(async () =>
        {
            await ai.AskAsync("m");
            return !provider.Requests[^1].Headers.ContainsKey("authorization") && !provider.Requests[^1].Headers.ContainsKey("a");
        });
    }

    [Fact]
    public async Task Credentials_of_another_database_are_an_error_of_their_provider_alone()
    {
        await ai.AddProviderAsync("main");
        await ai.AddProviderAsync("other");
        await ai.Database.ExecuteAsync(
            "update functions_private.ai_providers p set api_key = (select o.api_key from functions_private.ai_providers o where o.name = 'other') where name = 'main'"
        );

        var failure = await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync("main/m"));

        Assert.Equal("PGFN5105", failure.Code);
        Assert.Contains("functions.set_ai_provider", failure.Message, StringComparison.Ordinal);
        await ai.AskAsync("other/m");
    }

    [Fact]
    public async Task The_route_of_a_name_is_the_exact_one_then_the_longest_pattern()
    {
        var provider = await ai.AddProviderAsync("main", options: ", \"models\": [\"listed\"]");
        await ai.AddProviderAsync("second");
        await ai.Database.ExecuteAsync(
            """
            select functions.set_ai_route('*', '{"targets": [{"provider": "main", "model": "any"}]}'),
                functions.set_ai_route('@cf/*', '{"targets": [{"provider": "main", "model": "cf-*"}]}'),
                functions.set_ai_route('@cf/meta/*', '{"targets": [{"provider": "main"}]}'),
                functions.set_ai_route('@cf/meta/x', '{"targets": [{"provider": "main", "model": "exact"}], "roles": ["service_role", "authenticated"]}');
            """
        );

        foreach (var name in (string[])["@cf/meta/x", "@cf/meta/y", "@cf/z", "whatever", "listed"])
            await ai.AskAsync(name);

        Assert.Equal(["exact", "@cf/meta/y", "cf-z", "any", "any"], provider.Requests.Select(request => (string?)request.Body["model"]));
        var failure = await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync("@cf/meta/x", caller: new AiCaller("anon", null)));
        Assert.Equal(("PGFN5102", 403), (failure.Code, failure.Status));
        Assert.Equal(
            ["@cf/meta/*", "@cf/*", "*"],
            (await ai.Gateway.ModelsAsync(new AiCaller("anon", null), AiHarness.Token)).Select(model => model.Name)
        );
    }

    [Fact]
    public async Task Without_a_route_the_name_itself_leads_to_a_provider()
    {
        var first = await ai.AddProviderAsync("first", options: ", \"models\": [\"a\"]");
        var second = await ai.AddProviderAsync("second");

        await ai.AskAsync("a");
        await ai.AskAsync("second/b/c");
        var none = await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync("b"));
        var notListed = await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync("first/b"));

        Assert.Equal("a", (string?)Assert.Single(first.Requests).Body["model"]);
        Assert.Equal("b/c", (string?)Assert.Single(second.Requests).Body["model"]);
        Assert.Equal(("PGFN5101", "PGFN5101"), (none.Code, notListed.Code));
    }

    [Fact]
    public async Task Anthropic_has_no_embeddings()
    {
        await ai.AddProviderAsync("main", "anthropic");

        var failure = await Assert.ThrowsAsync<SidecarException>(() =>
            ai.Gateway.EmbedAsync(AiHarness.Ann, "m", ["a"], new(), AiCallOptions.Default, AiHarness.Token)
        );

        Assert.Equal(("PGFN5113", 400), (failure.Code, failure.Status));
    }

    [Theory]
    [InlineData("functions.set_ai_provider('Main', '{}')", "\"Main\" is not a provider's name")]
    [InlineData("functions.set_ai_provider('p', '{\"secret\": \"s\"}')", "unknown option \"secret\"")]
    [InlineData(
        "functions.set_ai_provider('p', '{\"kind\": \"cohere\"}')",
        "option kind must be \"openai\" or \"anthropic\", not \"cohere\""
    )]
    [InlineData(
        "functions.set_ai_provider('p', '{\"base_url\": \"http://u:p@host\"}')",
        "option base_url must be a URL with http or https, without user and query, not \"http://u:p@host\""
    )]
    [InlineData("functions.set_ai_provider('p', '{\"headers\": {\"a\": \"b\\r\\nc: d\"}}')", "option headers: \"a\" can't be set")]
    [InlineData("functions.set_ai_provider('p', '{\"headers\": {\"Host\": \"b\"}}')", "option headers: \"Host\" can't be set")]
    [InlineData("functions.set_ai_provider('p', '{\"models\": [\"a*\"]}')", "option models: \"a*\" is not the name of a model")]
    [InlineData("functions.set_ai_route('a*b', '{}')", "\"a*b\" is not a model's name or pattern")]
    [InlineData("functions.set_ai_route('a', '{\"targets\": []}')", "option targets must be an array of 1 to 10 targets, not []")]
    [InlineData("functions.set_ai_route('a', '{\"targets\": [{\"provider\": \"none\"}]}')", "There is no provider named \"none\".")]
    [InlineData(
        "functions.set_ai_route('a', '{\"targets\": [{\"provider\": \"p\", \"weight\": 1}]}')",
        "a target must be {\"provider\", \"model\"}, not {\"weight\": 1, \"provider\": \"p\"}"
    )]
    [InlineData("functions.limit_ai('{\"cost_per_day\": -1}')", "option cost_per_day must be a number from 0 to 1000000000")]
    [InlineData("functions.limit_ai('{\"function\": \"none\", \"requests_per_day\": 1}')", "There is no function named \"none\".")]
    [InlineData("functions.set_ai_price('m', -1)", "a price must be a number from 0 to 1000000 per million tokens")]
    [InlineData("functions.drop_ai_provider('none')", "There is no provider named \"none\".")]
    [InlineData("functions.drop_ai_route('none')", "There is no route named \"none\".")]
    public async Task Mistakes_are_refused_with_a_message(string call, string message)
    {
        var error = await Assert.ThrowsAsync<PostgresException>(() => ai.Database.ExecuteAsync($"select {call}"));

        Assert.Equal(message, error.MessageText);
    }

    [Fact]
    public async Task A_provider_that_a_route_names_is_not_dropped()
    {
        await ai.AddProviderAsync("main");
        await ai.Database.ExecuteAsync("""select functions.set_ai_route('m', '{"targets": [{"provider": "main"}]}')""");

        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            ai.Database.ExecuteAsync("select functions.drop_ai_provider('main')")
        );
        await ai.Database.ExecuteAsync("select functions.drop_ai_route('m'), functions.drop_ai_provider('main')");

        Assert.Equal("the route \"m\" leads to the provider main", error.MessageText);
    }

    [Fact]
    public async Task Roles_of_functions_can_neither_read_nor_change_any_of_it()
    {
        var open = await ai.Database.ScalarAsync<string>(
            """
            select string_agg(distinct r.role || ' ' || o.name, ', ') from functions_private.roles r, lateral (
                select p.oid::regprocedure::text from pg_proc p where p.proname ~ '(^|_)ai(_|$)' and p.pronamespace::regnamespace::text like 'functions%'
                    and has_function_privilege(r.role, p.oid, 'execute')
                union all
                select c.oid::regclass::text from pg_class c where c.relname like 'ai\_%' and c.relkind in ('r', 'p', 'v')
                    and c.relnamespace::regnamespace::text like 'functions%' and has_table_privilege(r.role, c.oid, 'select, insert, update, delete')) o (name)
            """
        );

        Assert.Null(open);
    }

    private Task SetAsync(string options) => ai.Database.ExecuteAsync($"select functions.set_ai_provider('main', '{options}')");

    private Task<string> TablesWithAsync(string secret) =>
        ai.Database.ScalarAsync<string>(
            $"""
            select coalesce(string_agg(c.oid::regclass::text, ' '), '') from pg_class c
            where c.relkind in ('r', 'v') and c.relnamespace in ('functions'::regnamespace, 'functions_private'::regnamespace)
              and query_to_xml(format('select * from %s', c.oid::regclass), true, false, '')::text like '%{secret}%'
            """
        );
}
