using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.Tracing;
using Functions.PgSidecar.Sandbox.Runs;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>
/// The one pipeline: admit, load, run, log, respond. Whatever the source, every invocation that is passed to it is logged once, and its
/// failures are returned as results.
/// </summary>
internal sealed class Invoker
{
    private readonly ProgramCache programs;
    private readonly Dictionary<string, IBinding> bindings;
    private readonly InvocationLog log;
    private readonly InvocationMetrics metrics;
    private readonly LimitsOptions limits;
    private readonly ConcurrencyGate gate;
    private readonly MemoryBudget memory;
    private readonly InFlight inFlight;
    private readonly TimeProvider time;
    private readonly ILogger<Invoker> logger;

    public Invoker(
        ProgramCache programs,
        IEnumerable<IBinding> bindings,
        InvocationLog log,
        InvocationMetrics metrics,
        LimitsOptions limits,
        MemoryBudget memory,
        InFlight inFlight,
        TimeProvider time,
        ILogger<Invoker> logger
    )
    {
        this.programs = programs;
        this.bindings = bindings.ToDictionary(binding => binding.Name, StringComparer.Ordinal);
        this.log = log;
        this.metrics = metrics;
        this.limits = limits;
        this.memory = memory;
        this.inFlight = inFlight;
        this.time = time;
        this.logger = logger;
        gate = new ConcurrencyGate(limits.Concurrency, limits.QueueLimit);
    }

    /// <summary>The number of running invocations.</summary>
    public int Running => gate.Running;

    /// <summary>The number of invocations that wait for admission.</summary>
    public int Waiting => gate.Waiting;

    /// <summary>
    /// Runs an invocation. Completes with the function's response; work left to <c>waitUntil</c> continues and is logged when it ends.
    /// </summary>
    /// <param name="invocation">What to run.</param>
    /// <param name="abandon">The caller has disconnected: an invocation that has not answered is stopped. None means that the sidecar
    /// itself is the caller, until it stops.</param>
    public async Task<InvocationResult> InvokeAsync(Invocation invocation, CancellationToken abandon)
    {
        if (!abandon.CanBeCanceled)
            abandon = inFlight.IsCutOff;
        var entry = new InvocationEntry(invocation, time);
        invocation.Span = Spans.Begin(invocation);
        if (!inFlight.TryEnter())
            return Reject(entry, Rejection.ShuttingDown);
        var admitted = false;
        try
        {
            var rejection = await AdmitAsync(invocation.Function, abandon).ConfigureAwait(false);
            if (rejection != Rejection.None)
                return Reject(entry, rejection);
            admitted = true;
            entry.Admitted();
            var program = await programs
                .AcquireAsync(invocation.Function.Name, invocation.Function.VersionId, abandon)
                .ConfigureAwait(false);
            admitted = false;
            return await RunAsync(entry, program, abandon).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (abandon.IsCancellationRequested)
        {
            return Close(
                entry,
                new InvocationResult(
                    InvocationOutcome.Cancelled,
                    default,
                    default,
                    "CANCELLED",
                    "The caller disconnected, or the run was cancelled."
                )
            );
        }
        catch (SidecarException e)
        {
            var failure = new InvocationResult(InvocationOutcome.HostError, default, default, e.Code, e.Message)
            {
                Status = e.Status,
                RetryAfter = e.Status == 503 ? 1 : null,
                IsDatabaseAway = e.Status == 503,
            };
            return Close(entry, failure);
        }
        finally
        {
            // Once the run has begun, its end releases the admission.
            if (admitted)
                Leave(invocation.Function);
            if (!entry.Running)
                inFlight.Leave();
        }
    }

    private async ValueTask<Rejection> AdmitAsync(DeployedFunction function, CancellationToken abandon)
    {
        if (!function.Admission.TryBegin())
            return Rejection.RateLimited;
        if (!await function.Admission.Gate.EnterAsync(function.Options.Timeout, abandon).ConfigureAwait(false))
            return Rejection.FunctionBusy;
        var rejection = Rejection.SidecarBusy;
        try
        {
            return rejection = await AdmitToSidecarAsync(function, abandon).ConfigureAwait(false);
        }
        finally
        {
            if (rejection != Rejection.None)
                function.Admission.Gate.Leave();
        }
    }

    private async ValueTask<Rejection> AdmitToSidecarAsync(DeployedFunction function, CancellationToken abandon)
    {
        if (!await gate.EnterAsync(function.Options.Timeout, abandon).ConfigureAwait(false))
            return Rejection.SidecarBusy;
        var hasRoom = false;
        try
        {
            hasRoom = await memory.WaitForMemoryAsync(function.Options.Timeout, abandon).ConfigureAwait(false);
            return hasRoom ? Rejection.None : Rejection.MemoryExhausted;
        }
        finally
        {
            if (!hasRoom)
                gate.Leave();
        }
    }

    private void Leave(DeployedFunction function)
    {
        gate.Leave();
        function.Admission.Gate.Leave();
    }

    private Task<InvocationResult> RunAsync(InvocationEntry entry, ProgramLease program, CancellationToken abandon)
    {
        entry.Running = true;
        var invocation = entry.Invocation;
        var options = invocation.Function.Options;
        var host = new InvocationHost(invocation, bindings, new InvocationLogWriter(invocation, log, this.limits), logger);
        var limits = new GuestLimits(invocation.Timeout ?? options.Timeout, (long)options.MemoryMb << 20, options.Cpu, options.Fuel);
        // Other sources start further invocations on the calling thread.
        var mayRunHere = invocation.Trigger == TriggerKind.Http;
        var request = new RunRequest(invocation.Envelope, invocation.Body, limits, invocation.BodyStream is not null, mayRunHere);
        memory.Take(invocation.Body.Length);
        var run = program.Program.RunAsync(request, host, abandon);
        _ = FinishAsync(entry, program, host, run);
        return host.Answer;
    }

    private async Task FinishAsync(InvocationEntry entry, ProgramLease program, InvocationHost host, Task<RunResult> run)
    {
        var function = entry.Invocation.Function;
        try
        {
            var result = await run.ConfigureAwait(false);
            if (result.Outcome == RunOutcome.HostError)
                InvocationsLog.HostFailed(logger, function.Name, entry.Invocation.Id, result.Error!.Name, result.Error.Message);
            var outcome = InvocationResults.From(result, function, host.Explain(result.Error?.Code));
            host.Fail(outcome);
            if (result.Error is { } error)
                host.LogFailure(InvocationResults.Uncaught(error));
            log.Record(entry.Close(outcome, result));
            metrics.Record(function.Name, outcome, entry.Elapsed, result.MemoryPeakBytes);
            Spans.End(entry.Invocation.Span, outcome);
            await host.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            InvocationsLog.FinishFailed(logger, e, function.Name, entry.Invocation.Id);
            var failure = new InvocationResult(
                InvocationOutcome.HostError,
                default,
                default,
                "HOST_ERROR",
                "The sidecar failed; its own log says how."
            );
            host.Fail(failure);
            Spans.End(entry.Invocation.Span, failure);
        }
        finally
        {
            memory.Return(entry.Invocation.Body.Length);
            program.Dispose();
            Leave(function);
            inFlight.Leave();
        }
    }

    private InvocationResult Reject(InvocationEntry entry, Rejection rejection) =>
        Close(entry, InvocationResults.From(rejection, entry.Invocation.Function));

    private InvocationResult Close(InvocationEntry entry, InvocationResult result)
    {
        log.Record(entry.Close(result, null));
        metrics.Record(entry.Invocation.Function.Name, result, entry.Elapsed, 0);
        Spans.End(entry.Invocation.Span, result);
        return result;
    }
}
