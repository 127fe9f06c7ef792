using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>The operation <c>fetch</c>: behind the globals <c>fetch</c> and <c>http.fetch</c>.</summary>
internal sealed class FetchBinding(OutboundHttp http) : IBinding
{
    /// <inheritdoc/>
    public string Name => "fetch";

    /// <inheritdoc/>
    public IBindingSession Open(Invocation invocation) => new Session(http, invocation);

    private sealed class Session(OutboundHttp http, Invocation invocation) : IBindingSession
    {
        /// <summary>Requests of one invocation that are on their way at the same time; the others wait. Workers' number.</summary>
        private const int MaxParallel = 6;

        // Never disposed: requests that are being aborted still give their places back, and it holds nothing of the system's.
        private readonly SemaphoreSlim places = new(MaxParallel);

        public void Start(GuestOperation operation) => _ = FetchAsync(operation);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        private async Task FetchAsync(GuestOperation operation)
        {
            // Nothing of the request is worked out on the sandbox's thread.
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            var admitted = false;
            try
            {
                await places.WaitAsync(operation.Cancellation).ConfigureAwait(false);
                admitted = true;
                var function = invocation.Function;
                using var response = await http.SendAsync(
                    FetchArguments.Read(operation), function.Hosts, function.Admission.OutboundRate, operation.Cancellation).ConfigureAwait(false);
                operation.Succeed(Describe(response), response.Body.ToArray());
            }
            catch (SidecarException e)
            {
                // The standard's word for a request that could not be made.
                operation.Fail("TypeError", e.Message, e.Code);
            }
            catch (OperationCanceledException)
            {
                operation.Fail("AbortError", "The request was aborted.");
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
            {
                operation.Fail("TypeError", "fetch was called with arguments that describe no request.", "PGFN5201");
            }
            finally
            {
                if (admitted)
                    places.Release();
            }
        }

        private static ReadOnlyMemory<byte> Describe(OutboundResponse response)
        {
            var json = new ArrayBufferWriter<byte>(512);
            using var writer = new Utf8JsonWriter(json);
            writer.WriteStartObject();
            writer.WriteNumber("status"u8, response.Status);
            writer.WriteString("statusText"u8, response.StatusText);
            writer.WriteString("url"u8, response.Url);
            writer.WriteBoolean("redirected"u8, response.Redirected);
            writer.WriteStartArray("headers"u8);
            foreach (var (name, value) in response.Headers)
            {
                writer.WriteStartArray();
                writer.WriteStringValue(name);
                writer.WriteStringValue(value);
                writer.WriteEndArray();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
            writer.Flush();
            return json.WrittenMemory;
        }
    }
}
