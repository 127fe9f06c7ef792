using System.Text.Json;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Sandbox.Runs;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Functions.PgSidecar.Core.Bindings;

/// <summary>
/// A binding's session for one invocation. Reads the arguments of operations, executes them, and maps failures to the errors that functions
/// see: the same cause has the same code in every binding.
/// </summary>
internal abstract class BindingSession : IAsyncDisposable
{
    /// <summary>The operation does not exist.</summary>
    private const string UnknownOperation = "PGFN5404";

    /// <summary>The arguments can't be read.</summary>
    private const string UnreadableArguments = "PGFN5400";

    private ILogger logger = NullLogger.Instance;
    private Invocation? invocation;

    /// <summary>The error class in a function for errors from a <see cref="SidecarException"/>.</summary>
    protected virtual string ErrorName => "Error";

    /// <summary>The message of an operation that is cancelled, or whose invocation has ended.</summary>
    protected abstract string AbortMessage { get; }

    /// <summary>The code of that error, if users of the binding expect one.</summary>
    protected virtual string? AbortCode => null;

    /// <summary>Sets where failures are logged that are defects of the sidecar. Called before the first operation.</summary>
    public void LogTo(ILogger log, Invocation of) => (logger, invocation) = (log, of);

    /// <summary>
    /// Starts an operation. Called on a sandbox thread, one operation at a time; must not block, and must not compute for long.
    /// </summary>
    public abstract void Start(GuestOperation operation);

    /// <summary>
    /// The actual cause of an operation's failure with this error code, if the function did not cause it. Called when the function did not
    /// catch the error. The code alone proves nothing, because functions choose the codes of what they throw.
    /// </summary>
    public virtual OutsideTrouble Explain(string code) => OutsideTrouble.None;

    /// <summary>Ends the session with its invocation, and releases what it holds.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>Executes an operation and reports every failure to the guest. Runs on the calling thread up to the first wait.</summary>
    protected async Task RunAsync(GuestOperation operation)
    {
        try
        {
            using var arguments = operation.Arguments.IsEmpty ? null : JsonDocument.Parse(operation.Arguments);
            await ExecuteAsync(operation, arguments?.RootElement ?? default).ConfigureAwait(false);
        }
        catch (Exception e) when (TryFail(operation, e))
        {
            // The binding has reported the failure to the function.
        }
        catch (SidecarException e)
        {
            operation.Fail(ErrorName, e.Message, e.Code);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            operation.Fail("AbortError", AbortMessage, AbortCode);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            operation.Fail("TypeError", $"{operation.Name} was called with arguments that it can't read.", UnreadableArguments);
        }
        catch (Exception e)
        {
            // A defect of the sidecar. If the operation did not end, its function would wait until its time limit.
            InvocationsLog.OperationFailed(logger, e, operation.Name, invocation?.Id, invocation?.Function.Name);
            operation.Fail("Error", $"The sidecar failed during {operation.Name}; its own log says how.", "HOST_ERROR");
        }
    }

    /// <summary>Like <see cref="RunAsync"/>, but entirely off the calling thread: for operations that compute.</summary>
    protected async Task RunElsewhereAsync(GuestOperation operation)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await RunAsync(operation).ConfigureAwait(false);
    }

    /// <summary>Executes an operation, and ends it with <see cref="GuestOperation.Succeed"/>.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="arguments">Its arguments, which the guest wrote and which are not trusted. Undefined if there are none.</param>
    /// <exception cref="SidecarException">The failure, as the function should see it.</exception>
    /// <exception cref="InvalidOperationException">An argument is of another type; <see cref="KeyNotFoundException"/>: it is
    /// missing.</exception>
    protected abstract ValueTask ExecuteAsync(GuestOperation operation, JsonElement arguments);

    /// <summary>Reports a failure that only this binding knows; false if it is none of those.</summary>
    protected virtual bool TryFail(GuestOperation operation, Exception failure) => false;

    /// <summary>The error of an operation that the binding does not support.</summary>
    protected static SidecarException Unknown(GuestOperation operation) =>
        new(UnknownOperation, 404, $"This sidecar has no operation '{operation.Name}'.");
}
