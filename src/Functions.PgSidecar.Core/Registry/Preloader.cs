using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// Before the sidecar serves: loads the functions and the first of their programs, and runs the engine once, so that the first caller after
/// a start does not wait for them. What can't be loaded now is loaded at its first call.
/// </summary>
internal sealed class Preloader(
    FunctionCatalog catalog,
    ProgramCache programs,
    RegistryStore store,
    SidecarIdentity identity,
    JavaScriptEngine engine,
    ILogger<Preloader> logger
) : IHostedService
{
    /// <summary>The most programs preloaded; each takes about 4 MB of memory, shared by its instances.</summary>
    private const int MaxPrograms = 64;

    /// <summary>The longest that preloading may delay the start, because recompiling programs may take long.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            await WarmUpAsync().ConfigureAwait(false);
            var suspects = await store.SuspectsAsync(identity.Id, patience.Token).ConfigureAwait(false);
            foreach (var function in (await catalog.PreloadAsync(patience.Token).ConfigureAwait(false)).Take(MaxPrograms))
            {
                // A program that crashes the process must not do so at every start.
                if (suspects.Contains(function.VersionId))
                    RegistryLog.NotPreloaded(logger, function.Name, function.Version);
                else
                    await PreloadAsync(function, patience.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            RegistryLog.PreloadFailed(logger, e.Message);
        }
    }

    private async Task PreloadAsync(DeployedFunction function, CancellationToken cancellationToken)
    {
        try
        {
            (await programs.AcquireAsync(function.Name, function.VersionId, cancellationToken).ConfigureAwait(false)).Dispose();
        }
        catch (SidecarException e)
        {
            RegistryLog.PreloadFailed(logger, e.Message);
        }
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Runs a built-in function that does nothing.</summary>
    private async Task WarmUpAsync()
    {
        using var program = await engine
            .CompileAsync("warm-up.js", "export const handler = () => null;", GuestLimits.Default)
            .ConfigureAwait(false);
        var envelope =
            """{"kind":"http","trigger":"http","request":{"method":"GET","url":"http://localhost/","headers":[]},"path":"/","query":{},"env":{},"now":0}""";
        await program
            .RunAsync(
                new RunRequest(Encoding.UTF8.GetBytes(envelope), default, GuestLimits.Default),
                new DiscardingHost(),
                CancellationToken.None
            )
            .ConfigureAwait(false);
    }

    /// <summary>Discards the warm-up function's response.</summary>
    private sealed class DiscardingHost : IGuestHost
    {
        public void Start(GuestOperation operation) => operation.Fail("Error", "The warm-up has no bindings.");

        public void Log(GuestLogLevel level, string message) { }

        public void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows) { }
    }
}
