using System.Net;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Image;

/// <summary><c>docker stop</c> while requests are running.</summary>
[Trait(Images.Needs, Images.Docker)]
public sealed class StopTests(SidecarSystem system) : IClassFixture<SidecarSystem>
{
    [Fact]
    public async Task Running_requests_are_answered_and_the_process_ends_by_itself()
    {
        const int Requests = 50;
        var sidecar = await system.StartSidecarAsync();
        await system.PsqlAsync("create table gate (is_open boolean)");
        await system.PsqlAsync("grant select on gate to authenticated");
        // Each request runs until the gate is open; the test opens it when the sidecar has begun to stop.
        await system.DeployAsync(
            "wait",
            """
            export async function handler() {
              for (;;) {
                const rows = await db.query('select 1 from public.gate');
                if (rows.length > 0) return { ok: true };
                await new Promise(resolve => setTimeout(resolve, 50));
              }
            }
            """,
            """{"timeout_ms": 60000}"""
        );
        var token = await SidecarSystem.TokenAsync(sidecar);
        using var http = SidecarSystem.Client(sidecar);
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        var requests = Enumerable.Range(0, Requests).Select(_ => http.PostAsync("/functions/v1/invoke/wait", null)).ToList();
        using (var metrics = SidecarSystem.Client(sidecar))
            await Eventually.HoldsAsync(async () =>
                (await metrics.GetStringAsync("/metrics")).Contains($"\nfunctions_running {Requests}\n", StringComparison.Ordinal)
            );

        var stop = DockerCli.RunAsync("stop", "--time", "40", sidecar.Id);
        await Eventually.HoldsAsync(async () =>
            (await SidecarSystem.LogAsync(sidecar)).Contains($"{Requests} invocations", StringComparison.Ordinal)
        );
        await system.PsqlAsync("insert into gate values (true)");

        foreach (var response in await Task.WhenAll(requests))
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            response.Dispose();
        }
        await stop;
        Assert.Equal("0 false", await DockerCli.RunAsync("inspect", "-f", "{{.State.ExitCode}} {{.State.OOMKilled}}", sidecar.Id));
    }
}
