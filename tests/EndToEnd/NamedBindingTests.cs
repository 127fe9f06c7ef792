namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>The option <c>bindings</c>: members of <c>env</c> for other caches, queues and buckets than the default ones.</summary>
public sealed class NamedBindingTests(SidecarFixture sidecar)
{
    [Fact]
    public async Task Members_of_env_lead_to_what_the_option_names()
    {
        await sidecar.Database.ExecuteAsync(
            """
            select functions.create_cache('named-sessions'), functions.create_bucket('named-files'),
                functions.create_queue('named-emails', '{"send": "authenticated"}')
            """
        );
        var function = await sidecar.DeployAsync(
            """
            export default { async fetch(request, env) {
              await env.SESSIONS.put("a", "1");
              await env.EMAILS.send({ to: "ada" });
              await env.FILES.put("a.txt", "text");
              return Response.json([
                await env.SESSIONS.get("a"), await env.CACHE.get("a"), await env.CACHE.namespace("named-sessions").get("a"),
                (await env.FILES.head("a.txt")).size, await env.STORAGE.head("a.txt"), env.COLOUR,
                await env.MAIN.prepare("select 1 as one").first("one"),
              ]);
            } };
            """,
            """
            {"env": {"COLOUR": "red"}, "bindings": {"SESSIONS": {"cache": "named-sessions"}, "EMAILS": {"queue": "named-emails"},
              "FILES": {"bucket": "named-files"}, "MAIN": {"database": "default"}}}
            """
        );
        Assert.Equal("""["1",null,"1",4,null,"red",1]""", (await sidecar.CallAsync(function))!.ToJsonString());
        Assert.Equal(
            """{"to": "ada"}""",
            await sidecar.Database.ScalarAsync<string>("select string_agg(message::text, ' ') from pgmq.\"q_named-emails\"")
        );
    }

    [Fact]
    public async Task A_secret_of_the_same_name_does_not_replace_a_binding()
    {
        var function = await sidecar.DeployAsync(
            "export const handler = () => [typeof env.FILES, typeof env('FILES')]",
            """{"env": {"FILES": "a text"}, "bindings": {"FILES": {"bucket": "none"}}}"""
        );
        await sidecar.Database.ExecuteAsync($"select functions.set_secret('{function}', 'FILES', 'a secret of some length')");
        await Testing.Eventually.HoldsAsync(async () =>
            (await sidecar.CallAsync(function))!.ToJsonString() == """["object","undefined"]"""
        );
    }

    [Fact]
    public async Task A_module_gets_variables_and_no_bindings()
    {
        var module = await sidecar.DeployModuleAsync(
            await Modules.Tools.AssembleExampleAsync("wat/echo.wat"),
            """{"env": {"A": "1"}, "bindings": {"FILES": {"bucket": "none"}}}"""
        );
        Assert.NotNull(await sidecar.CallAsync(module, "1"));
    }
}
