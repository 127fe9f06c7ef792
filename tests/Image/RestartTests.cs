using System.Net;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Image;

/// <summary>Each container is killed and started again: row changes fire functions nevertheless, and calls are answered again.</summary>
[Trait(Images.Needs, Images.Docker)]
public sealed class RestartTests(SidecarSystem system) : IClassFixture<SidecarSystem>
{
    [Fact]
    public async Task Killed_containers_lose_no_committed_change()
    {
        var sidecar = await system.StartSidecarAsync();
        await system.PsqlAsync("create table changes (id int primary key); alter table changes owner to pgfn");
        await system.DeployAsync("seen", "export const handler = event => { console.log('seen', event.new.id) }");
        await system.DeployAsync("answer", "export const handler = () => ({ ok: true })");
        await system.PsqlAsync("select functions.create_trigger('changes', 'seen', 'changes')");

        await InsertAsync(1, 100);
        await DockerCli.RunAsync("kill", sidecar.Id);
        await InsertAsync(101, 200);
        await DockerCli.RunAsync("start", sidecar.Id);
        await AllSeenAsync(200);

        await InsertAsync(201, 300);
        await DockerCli.RunAsync("kill", system.Postgres.Id);
        await DockerCli.RunAsync("start", system.Postgres.Id);
        await Eventually.HoldsAsync(async () =>
            (await system.Postgres.ExecAsync(["psql", "-U", "postgres", "-d", "app", "-c", "select 1"])).ExitCode == 0
        );
        await InsertAsync(301, 400);
        await AllSeenAsync(400);

        await Eventually.HoldsAsync(async () => (await sidecar.ExecAsync(["pgfn", "health"])).ExitCode == 0);
        using var answer = await SidecarSystem.CallAsync(sidecar, "answer");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    private async Task InsertAsync(int first, int last) =>
        await system.PsqlAsync($"insert into changes select generate_series({first}, {last})");

    /// <summary>A change can fire twice after a kill, but none is missing.</summary>
    private Task AllSeenAsync(int count) =>
        Eventually.HoldsAsync(async () =>
            await system.PsqlAsync("select count(distinct message) from functions.logs where function = 'seen' and message like 'seen %'")
            == $"{count}"
        );
}
