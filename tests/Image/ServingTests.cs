using System.Net;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Containers;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Image;

/// <summary>What a sidecar in a container does, and which rights it has meanwhile.</summary>
[Trait(Images.Needs, Images.Docker)]
public sealed class ServingTests(SidecarSystem system) : IClassFixture<SidecarSystem>
{
    [Fact]
    public async Task A_function_deployed_by_psql_answers_over_HTTP_and_fires_on_a_committed_row()
    {
        var sidecar = await system.StartSidecarAsync();
        await system.DeployAsync("greet", "export const handler = event => ({ hello: event.body.name })");
        using var answer = await SidecarSystem.CallAsync(sidecar, "greet", """{"name":"Ada"}""");
        Assert.Equal("""{"hello":"Ada"}""", await answer.Content.ReadAsStringAsync());

        await system.PsqlAsync("create table orders (id int primary key); alter table orders owner to pgfn");
        await system.DeployAsync("ordered", "export const handler = event => { console.log('order', event.new.id) }");
        await system.PsqlAsync("select functions.create_trigger('orders', 'ordered', 'orders')");
        await system.PsqlAsync("insert into orders values (7)");
        await Eventually.HoldsAsync(async () =>
            await system.PsqlAsync("select count(*) from functions.logs where function = 'ordered' and message = 'order 7'") == "1"
        );
        await system.PsqlAsync("select functions.drop_trigger('orders')");
    }

    [Fact]
    public async Task The_process_is_a_plain_user_without_capabilities_that_can_write_nothing()
    {
        var sidecar = await system.StartSidecarAsync();

        var status = await RunAsync(
            sidecar,
            "for p in /proc/[0-9]*; do if [ \"$(cat $p/comm)\" = pgfn ]; then cat $p/status; exit 0; fi; done; exit 1"
        );
        Assert.Matches(@"(?m)^Uid:\s+65532\s+65532\s+65532", status);
        Assert.Matches(@"(?m)^CapEff:\s+0000000000000000$", status);
        Assert.Matches(@"(?m)^CapBnd:\s+0000000000000000$", status);
        Assert.Matches(@"(?m)^NoNewPrivs:\s+1$", status);
        foreach (var path in (string[])["/", "/tmp", "/opt/pgfn", "/var/lib/pgfn"])
            Assert.Equal("refused", await RunAsync(sidecar, $"touch {path}/file 2>/dev/null && echo written || echo refused"));
    }

    [Fact]
    public async Task It_becomes_healthy_by_the_images_own_check()
    {
        // The container counts as started when it is healthy.
        var sidecar = await system.StartSidecarAsync(static builder =>
            builder.WithWaitStrategy(Wait.ForUnixContainer().UntilContainerIsHealthy())
        );

        var result = await sidecar.ExecAsync(["pgfn", "health"]);
        Assert.Equal((0L, """{"status":"ready"}"""), (result.ExitCode, result.Stdout.Trim()));
    }

    [Fact]
    public async Task Any_user_can_run_it()
    {
        var sidecar = await system.StartSidecarAsync(static builder =>
            builder.WithCreateParameterModifier(static parameters => parameters.User = "12345:0")
        );

        await system.DeployAsync("who", "export const handler = () => ({ ok: true })");
        using var answer = await SidecarSystem.CallAsync(sidecar, "who");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Without_a_key_and_a_place_to_keep_one_it_does_not_start()
    {
        await using var sidecar = system
            .Builder()
            .WithEnvironment("DATABASE_URL", "postgresql://postgres:superuser@postgres/postgres")
            .Build();
        await sidecar.StartAsync();

        Assert.Equal(2, await sidecar.GetExitCodeAsync());
        Assert.Contains("PGFN5310", await SidecarSystem.LogAsync(sidecar), StringComparison.Ordinal);
    }

    private static async Task<string> RunAsync(IContainer container, string script)
    {
        var result = await container.ExecAsync(["sh", "-c", script]);
        Assert.True(result.ExitCode == 0, result.Stderr);
        return result.Stdout.Trim();
    }
}
