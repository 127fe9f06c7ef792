using System.Text;
using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Sandbox.JavaScript;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// Before the sidecar serves: loads the functions and the first of their programs, and lets the engine run once, so that the first
/// caller after a start waits for neither. What can't be loaded now is loaded when it is called.
/// </summary>
internal sealed class Preloader(
    FunctionCatalog catalog, ProgramCache programs, RegistryStore store, SidecarIdentity identity, JavaScriptEngine engine, ILogger<Preloader> logger)
    : IHostedService
{
    /// <summary>Programs loaded ahead; each takes some 4 MB of memory shared by its instances.</summary>
    private const int MaxPrograms = 64;

    /// <summary>How long all of it may hold up the start: programs that have to be compiled again may take long.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            await RehearseAsync().ConfigureAwait(false);
            var suspects = await store.SuspectsAsync(identity.Id, patience.Token).ConfigureAwait(false);
            foreach (var function in (await catalog.PreloadAsync(patience.Token).ConfigureAwait(false)).Take(MaxPrograms))
            {
                // A program that ends the process must not do so at every start.
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

    /// <summary>Runs a function of our own, which does nothing.</summary>
    private async Task RehearseAsync()
    {
        using var program = await engine.CompileAsync("rehearsal.js", "export const handler = () => null;", GuestLimits.Default).ConfigureAwait(false);
        var envelope = """{"kind":"http","trigger":"http","request":{"method":"GET","url":"http://localhost/","headers":[]},"path":"/","query":{},"env":{},"now":0}""";
        await program.RunAsync(new RunRequest(Encoding.UTF8.GetBytes(envelope), default, GuestLimits.Default), new Audience(), CancellationToken.None)
            .ConfigureAwait(false);
    }

    /// <summary>Hears the rehearsal's answer and does nothing with it.</summary>
    private sealed class Audience : IGuestHost
    {
        public void Start(GuestOperation operation) => operation.Fail("Error", "A rehearsal has no bindings.");

        public void Log(GuestLogLevel level, string message)
        {
        }

        public void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body)
        {
        }
    }
}
