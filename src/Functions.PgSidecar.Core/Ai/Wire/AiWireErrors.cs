namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Requests to models that can't be understood, or ask for what can't be given.</summary>
internal static class AiWireErrors
{
    /// <summary>The key in <see cref="Exception.Data"/> of the member that is wrong, for OpenAI's error object.</summary>
    public const string Parameter = "param";

    /// <summary>A member is missing or has a value of another type.</summary>
    /// <param name="parameter">The member, for example <c>messages[0].role</c>.</param>
    /// <param name="message">What it must be.</param>
    public static SidecarException Invalid(string parameter, string message) =>
        At(parameter, new SidecarException("PGFN5151", 400, message));

    /// <summary>A member has no meaning here, and leaving it out would change what was asked for.</summary>
    public static SidecarException Unsupported(string parameter, string message) =>
        At(parameter, new SidecarException("PGFN5152", 400, message));

    /// <summary>The path or the method is none of OpenAI's that are served.</summary>
    public static SidecarException NoSuchPath(string method, string path) =>
        new(
            "PGFN5153",
            404,
            $"There is no {Shorten(method)} {Shorten(path)}: POST /chat/completions, POST /embeddings, GET /models and GET /models/{{model}} exist."
        );

    /// <summary>There is no such model, or the caller may not use it.</summary>
    public static SidecarException NoSuchModel(string model) =>
        At("model", new SidecarException("PGFN5154", 404, $"There is no model '{Shorten(model)}' that the caller may use."));

    /// <summary>An invocation has too many streams open.</summary>
    public static SidecarException TooManyOpen(int most) =>
        new("PGFN5155", 429, $"More than {most} streams of models are open; read or cancel some of them first.");

    /// <summary>The model did not answer with the JSON that was asked for.</summary>
    public static SidecarException NotJson() =>
        new("PGFN5156", 502, "The model's answer is not the JSON that response_format asks for; max_tokens may be too small for it.");

    /// <summary>The role was not granted the endpoint.</summary>
    public static SidecarException NotGranted(string role) =>
        new("PGFN5157", 403, $"The role {role} may not use models over HTTP; functions.grant_ai('{role}') allows it.");

    /// <summary>Text from a request, short enough for a message.</summary>
    public static string Shorten(string text) => text.Length <= 80 ? text : text[..80] + "...";

    private static SidecarException At(string parameter, SidecarException error)
    {
        error.Data[Parameter] = parameter;
        return error;
    }
}
