using System.Collections.Concurrent;
using System.Data.Common;
using Functions.PgSidecar.Core.Code;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Sandbox.Runs;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Compiles deployed versions. Sidecars share the work; each version is compiled by one of them.</summary>
internal sealed class CompilationWorker(
    Compiler compiler,
    RegistryStore store,
    ProgramCache programs,
    SidecarIdentity identity,
    TimeProvider time,
    ILogger<CompilationWorker> logger
) : BackgroundService
{
    /// <summary>How many versions are compiled at the same time. A slow one does not keep the others waiting.</summary>
    private const int MaxConcurrency = 4;

    /// <summary>The lease of a version that a sidecar has claimed: longer than any module's top level may run.</summary>
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(6);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>The longest time between two tries of a version whose code can't be read.</summary>
    private static readonly TimeSpan MaxDelay = TimeSpan.FromMinutes(1);

    private readonly WakeSignal signal = new(isSet: true);
    private readonly ConcurrentDictionary<Guid, Task> working = [];

    /// <summary>Requests a check for versions to compile.</summary>
    public void Wake() => signal.Set();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await signal.WaitAsync(stoppingToken).ConfigureAwait(false);
                await CompilePendingAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                RegistryLog.Unreachable(logger, Pause, e.Message);
                await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                Wake();
            }
        }
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await Task.WhenAll(working.Values).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The time for the shutdown is over.
        }
        try
        {
            // Compilations that did not finish in time did not cause the end of this process.
            await store.ReleaseAsync(identity.Id, CancellationToken.None).ConfigureAwait(false);
        }
        catch (DbException e)
        {
            RegistryLog.NotReleased(logger, e.Message);
        }
    }

    /// <summary>Claims versions and begins to compile them, until there is none, or as many are compiled as may be.</summary>
    private async Task CompilePendingAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            Guid[] inProgress = [.. working.Keys];
            if (inProgress.Length == MaxConcurrency)
                return;
            var claims = await store
                .ClaimPendingAsync(identity.Id, inProgress, MaxConcurrency - inProgress.Length, Lease, stoppingToken)
                .ConfigureAwait(false);
            foreach (var version in claims.GivenUp)
                RegistryLog.GivenUp(logger, version.Function, version.Version, RegistryStore.MaxAttempts);
            if (claims.Claimed.Count == 0)
                return;
            foreach (var version in claims.Claimed)
                Begin(version, stoppingToken);
        }
    }

    private void Begin(VersionArtifact version, CancellationToken stoppingToken)
    {
        // Entered before it runs, so that its end can't come before its beginning.
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        working[version.Id] = ended.Task;
        _ = RunAsync();

        async Task RunAsync()
        {
            try
            {
                await CompileAsync(version, stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                // Stopped while the registry was unavailable. StopAsync releases the version.
            }
            catch (Exception e)
            {
                RegistryLog.CompilationInterrupted(logger, e, version.Function, version.Version, Pause);
                await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            finally
            {
                working.TryRemove(version.Id, out _);
                ended.SetResult();
                Wake();
            }
        }
    }

    /// <summary>Compiles one version and records the outcome.</summary>
    private async Task CompileAsync(VersionArtifact version, CancellationToken stoppingToken)
    {
        IProgram? program;
        CompilationOutcome outcome;
        try
        {
            (program, outcome) = await TryCompileAsync(version).ConfigureAwait(false);
        }
        catch (SidecarException e) when (e.Code == CodeErrors.UnreachableCode)
        {
            await PostponeAsync(version, e.Message, stoppingToken).ConfigureAwait(false);
            return;
        }
        if (program is not null)
            programs.Add(version.Function, version.Id, program);
        await CompleteAsync(version, outcome, stoppingToken).ConfigureAwait(false);
        if (outcome.Error is { } error)
            RegistryLog.CompileFailed(logger, version.Function, version.Version, error.Message);
        else
            RegistryLog.Compiled(logger, version.Function, version.Version, outcome.CompiledMs);
        if (outcome.InfoJson?.Contains("\"warnings\":", StringComparison.Ordinal) == true)
            RegistryLog.DrewValues(logger, version.Function, version.Version);
    }

    private async Task<(IProgram? Program, CompilationOutcome Outcome)> TryCompileAsync(VersionArtifact version)
    {
        try
        {
            return await compiler.CompileAsync(version).ConfigureAwait(false);
        }
        catch (SidecarException e) when (e.Code != CodeErrors.UnreachableCode)
        {
            return (null, new CompilationOutcome("", null, null, 0, new CompilationError(e.Message)));
        }
    }

    /// <summary>Leaves the version for a later try, which the bucket's trouble should not outlive by much.</summary>
    private async Task PostponeAsync(VersionArtifact version, string reason, CancellationToken stoppingToken)
    {
        var delay = await store.PostponeAsync(version.Id, identity.Id, reason, MaxDelay, CancellationToken.None).ConfigureAwait(false);
        if (delay is not { } wait)
            return;
        RegistryLog.Postponed(logger, version.Function, version.Version, wait, reason);
        // It does not keep others from being compiled meanwhile, nor the process from stopping.
        _ = WakeAfterAsync();

        async Task WakeAfterAsync()
        {
            await Task.Delay(wait, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Wake();
        }
    }

    /// <summary>
    /// Records the outcome, however long the registry is unavailable; otherwise the version would wait for its lease to expire.
    /// </summary>
    private async Task CompleteAsync(VersionArtifact version, CompilationOutcome outcome, CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await store.CompleteVersionAsync(version.Id, outcome, CancellationToken.None).ConfigureAwait(false);
                return;
            }
            catch (DbException e)
            {
                RegistryLog.Unreachable(logger, Pause, e.Message);
                await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(false);
            }
        }
    }
}
