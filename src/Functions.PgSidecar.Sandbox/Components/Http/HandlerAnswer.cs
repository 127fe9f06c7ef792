using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>Turns the response of a handler into the function's answer.</summary>
internal static class HandlerAnswer
{
    private const int FirstFailure = 400;

    /// <param name="answer">What the handler has set; <see langword="null"/> for nothing.</param>
    /// <param name="envelope">The event.</param>
    /// <exception cref="GuestException">The handler has set no complete response; or the event is no request and the response says that it
    /// failed.</exception>
    public static GuestAnswer Of(HttpAnswer? answer, JsonElement envelope)
    {
        if (answer is null)
            throw Failed("The component returned without setting a response.");
        if (answer.Response is not { } response)
            throw Failed($"The component answered with the error {answer.Error}.");
        if (response.Body is { IsFinished: false })
            throw Failed("The component returned before it finished the body of its response.");
        var body = response.Body?.Bytes ?? default;
        if (ModuleEvent.IsAnswered(envelope))
        {
            var headers = response.Headers.Entries.Select(static entry => (entry.Name, Encoding.Latin1.GetString(entry.Value)));
            return new GuestAnswer(ModuleAnswer.Head(response.Status, headers), body);
        }
        if (response.Status >= FirstFailure)
            throw Failed($"The component answered the event with status {response.Status}.");
        return new GuestAnswer(default, ModuleAnswer.ForEvent(body));
    }

    private static GuestException Failed(string message) => new(new GuestError("Error", message));
}
