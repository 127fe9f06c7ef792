using System.Net;
using DotNet.Testcontainers.Containers;

namespace Functions.PgSidecar.Tests.Image;

/// <summary>A sidecar whose container has 256 MB and half a processor stays within them, whatever its functions do.</summary>
[Trait(Images.Needs, Images.Docker)]
public sealed class LimitTests(SidecarSystem system) : IClassFixture<SidecarSystem>
{
    private const long Memory = 256 << 20;

    [Fact]
    public async Task Functions_that_take_memory_and_time_end_with_errors_and_the_container_lives_on()
    {
        var sidecar = await system.StartSidecarAsync(static builder =>
            builder.WithCreateParameterModifier(static parameters =>
            {
                parameters.HostConfig!.Memory = Memory;
                parameters.HostConfig.MemorySwap = Memory;
                parameters.HostConfig.NanoCPUs = 500_000_000;
            })
        );
        await system.DeployAsync(
            "hog",
            "export const handler = () => { const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1)); }"
        );
        await system.DeployAsync("spin", "export const handler = () => { for (;;); }", """{"timeout_ms": 2000}""");
        await system.DeployAsync("plain", "export const handler = () => ({ ok: true })");

        // Half of three quarters of the container's limit: docs/settings.md, "Memory".
        using (var http = SidecarSystem.Client(sidecar))
            Assert.Contains(
                $"\nfunctions_sandbox_memory_limit_bytes {Memory * 3 / 4 / 2}\n",
                await http.GetStringAsync("/metrics"),
                StringComparison.Ordinal
            );

        var token = await SidecarSystem.TokenAsync(sidecar);
        var hogs = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => StatusAsync(sidecar, "hog", token)));
        // Beyond their own limit or the limit of all together; or they did not get the memory to begin.
        Assert.All(hogs, status =>
            Assert.Contains(status, (HttpStatusCode[])[HttpStatusCode.InsufficientStorage, HttpStatusCode.ServiceUnavailable])
        );
        var loops = Enumerable.Range(0, 4).Select(_ => StatusAsync(sidecar, "spin", token)).ToList();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(sidecar, "plain", token));
        Assert.All(await Task.WhenAll(loops), static status => Assert.Equal(HttpStatusCode.GatewayTimeout, status));
        Assert.Equal(
            "true false 0",
            await DockerCli.RunAsync("inspect", "-f", "{{.State.Running}} {{.State.OOMKilled}} {{.RestartCount}}", sidecar.Id)
        );
    }

    [Fact]
    public async Task An_idle_sidecar_takes_less_than_120_MB()
    {
        var sidecar = await system.StartSidecarAsync();
        await system.DeployAsync("once", "export const handler = () => ({ ok: true })");
        using (await SidecarSystem.CallAsync(sidecar, "once")) { }

        // "61.2MiB / 23.59GiB", without the cache of files.
        var used = (await DockerCli.RunAsync("stats", "--no-stream", "--format", "{{.MemUsage}}", sidecar.Id)).Split(' ')[0];
        Assert.EndsWith("MiB", used, StringComparison.Ordinal);
        Assert.InRange(double.Parse(used[..^3], System.Globalization.CultureInfo.InvariantCulture), 1, 120);
    }

    private static async Task<HttpStatusCode> StatusAsync(IContainer sidecar, string function, string token)
    {
        using var http = SidecarSystem.Client(sidecar);
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        using var response = await http.PostAsync("/functions/v1/invoke/" + function, null);
        return response.StatusCode;
    }
}
