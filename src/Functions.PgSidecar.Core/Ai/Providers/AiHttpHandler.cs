using System.Globalization;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Ai.Definitions;
using Functions.PgSidecar.Core.Secrets;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>
/// Sends the requests of a provider's SDK: adds the credentials, and turns answers that are failures into one exception, whichever SDK
/// asked.
/// </summary>
internal sealed class AiHttpHandler(AiProvider provider, Redactor redactor, HttpMessageHandler connections) : DelegatingHandler(connections)
{
    /// <summary>How much of a failure's body is read.</summary>
    private const int MostOfFailure = 16 * 1024;

    /// <summary>The most bytes of an answer that is read as a whole: some four million tokens.</summary>
    private const long MostOfAnswer = 16L << 20;

    /// <summary>The most bytes of embeddings: 2,048 with 4,096 dimensions, in base64, are 44 MiB.</summary>
    private const long MostOfEmbeddings = 64L << 20;

    /// <summary>
    /// The most bytes of a whole stream. Each token can be an event of some 350 bytes; the arguments of a call are collected until its end.
    /// </summary>
    private const long MostOfStream = 64L << 20;

    /// <summary>The most bytes of one event; some servers send a whole call in one.</summary>
    private const int MostOfEvent = 4 << 20;

    /// <summary>How much of a provider's message is passed on.</summary>
    private const int MostOfMessage = 500;

    /// <summary>A wait that is longer than any limit of a provider.</summary>
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromDays(1);

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        SetHeaders(request);
        HttpResponseMessage response;
        try
        {
            response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw AiAttemptException.Unreachable(provider, e);
        }
        if (response.IsSuccessStatusCode)
            return await LimitAsync(request, response, cancellationToken).ConfigureAwait(false);
        using (response)
        {
            var reason = await ReasonAsync(response.Content, cancellationToken).ConfigureAwait(false);
            throw AiAttemptException.OfStatus(provider, (int)response.StatusCode, redactor.Redact(reason), RetryAfter(response));
        }
    }

    /// <summary>Replaces the answer's body by one that ends with an error when it becomes too large.</summary>
    private async Task<HttpResponseMessage> LimitAsync(
        HttpRequestMessage request,
        HttpResponseMessage response,
        CancellationToken cancellationToken
    )
    {
        var isStream = response.Content.Headers.ContentType?.MediaType == "text/event-stream";
        var maxBytes =
            isStream ? MostOfStream
            : request.RequestUri!.AbsolutePath.EndsWith("/embeddings", StringComparison.Ordinal) ? MostOfEmbeddings
            : MostOfAnswer;
        var body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        var limited = new StreamContent(new AiAnswerStream(body, provider, maxBytes, isStream ? MostOfEvent : null));
        foreach (var (name, values) in response.Content.Headers)
            limited.Headers.TryAddWithoutValidation(name, values);
        response.Content = limited;
        return response;
    }

    private void SetHeaders(HttpRequestMessage request)
    {
        // The SDKs require keys, so they are given none of these.
        request.Headers.Authorization = null;
        request.Headers.Remove("x-api-key");
        if (provider is { Kind: AiProviderKind.OpenAi, ApiKey: { } key })
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
        else if (provider is { Kind: AiProviderKind.Anthropic, ApiKey: { } anthropicKey })
            request.Headers.TryAddWithoutValidation("x-api-key", anthropicKey);
        foreach (var (name, value) in provider.Headers)
        {
            request.Headers.Remove(name);
            request.Headers.TryAddWithoutValidation(name, value);
        }
    }

    /// <summary>Retry-After in seconds or as a date, or OpenAI's retry-after-ms.</summary>
    private static TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        TimeSpan? wait = null;
        if (
            response.Headers.TryGetValues("retry-after-ms", out var values)
            && double.TryParse(values.First(), NumberStyles.Float, CultureInfo.InvariantCulture, out var milliseconds)
        )
            wait = milliseconds is >= 0 and < 86_400_000 ? TimeSpan.FromMilliseconds(milliseconds) : null;
        wait ??= response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            // By the clock of the answer, so that the sidecar's own does not matter.
            { Date: { } date } when response.Headers.Date is { } now => date - now,
            _ => null,
        };
        return wait is { } given && given >= TimeSpan.Zero ? (given < LongestRetryAfter ? given : LongestRetryAfter) : null;
    }

    /// <summary>The message of a failure, as OpenAI and Anthropic write it: <c>{"error": {"message": ...}}</c>.</summary>
    private static async Task<string> ReasonAsync(HttpContent content, CancellationToken cancellationToken)
    {
        var buffer = new byte[MostOfFailure];
        int length;
        try
        {
            await using var body = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            length = await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return ""; // the status says enough
        }
        try
        {
            using var json = JsonDocument.Parse(buffer.AsMemory(0, length));
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("error"u8, out var error)
                ? Shorten(Message(error))
                : "";
        }
        catch (JsonException)
        {
            return "";
        }
    }

    private static string Message(JsonElement error) =>
        error.ValueKind switch
        {
            JsonValueKind.String => error.GetString()!,
            JsonValueKind.Object when error.TryGetProperty("message"u8, out var message) && message.ValueKind == JsonValueKind.String =>
                message.GetString()!,
            _ => "",
        };

    private static string Shorten(string text)
    {
        var plain = new StringBuilder(Math.Min(text.Length, MostOfMessage));
        foreach (var c in text.AsSpan(0, Math.Min(text.Length, MostOfMessage)))
            plain.Append(char.IsControl(c) ? ' ' : c);
        return plain.ToString();
    }
}
