using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Reads <c>tools</c>, <c>tool_choice</c> and <c>response_format</c>, in the forms of OpenAI and of Workers AI.</summary>
internal static class ChatToolsWire
{
    /// <summary>Reads <c>tools</c>: <c>{type: "function", function: {...}}</c> or, as older code does, the function itself.</summary>
    public static void ReadTools(JsonElement request, ChatOptions options)
    {
        var at = 0;
        foreach (var tool in request.Items("tools"))
        {
            var path = $"tools[{at++}]";
            var function = tool.Object(path);
            if (tool.TryGet("function", out var nested))
                function = nested.Object(path + ".function");
            else if (tool.Text("type", path + ".") is { } type and not "function")
                throw AiWireErrors.Unsupported(
                    path + ".type",
                    $"{path}.type is '{AiWireErrors.Shorten(type)}'; only tools of the type 'function' can be given to any provider."
                );
            path += ".";
            if (function.TryGet("parameters", out var parameters))
                parameters.Object(path + "parameters");
            (options.Tools ??= []).Add(
                new WireTool(
                    function.RequiredText("name", path),
                    function.Text("description", path),
                    parameters,
                    function.Flag("strict", path)
                )
            );
        }
    }

    /// <summary>Reads <c>tool_choice</c> and <c>parallel_tool_calls</c>.</summary>
    public static void ReadChoice(JsonElement request, ChatOptions options)
    {
        options.AllowMultipleToolCalls = request.Flag("parallel_tool_calls");
        if (!request.TryGet("tool_choice", out var choice))
            return;
        options.ToolMode = choice.ValueKind switch
        {
            JsonValueKind.String => choice.GetString() switch
            {
                "none" => ChatToolMode.None,
                "auto" => ChatToolMode.Auto,
                "required" => ChatToolMode.RequireAny,
                _ => throw WireJson.Wrong("tool_choice", "'none', 'auto', 'required' or an object that names a function"),
            },
            JsonValueKind.Object when choice.TryGet("function", out var function) => ChatToolMode.RequireSpecific(
                function.Object("tool_choice.function").RequiredText("name", "tool_choice.function.")
            ),
            _ => throw WireJson.Wrong("tool_choice", "'none', 'auto', 'required' or an object that names a function"),
        };
    }

    /// <summary>
    /// Reads <c>response_format</c>. <c>json_schema</c> is <c>{name, schema, strict}</c> as OpenAI has it, or the schema itself as
    /// Workers AI has it.
    /// </summary>
    public static void ReadFormat(JsonElement request, ChatOptions options)
    {
        if (!request.TryGet("response_format", out var format))
            return;
        switch (format.Object("response_format").RequiredText("type", "response_format."))
        {
            case "text":
                options.ResponseFormat = ChatResponseFormat.Text;
                break;
            case "json_object":
                options.ResponseFormat = ChatResponseFormat.Json;
                break;
            case "json_schema":
                if (!format.TryGet("json_schema", out var given))
                    throw WireJson.Wrong("response_format.json_schema", "an object");
                ReadSchema(given.Object("response_format.json_schema"), options);
                break;
            default:
                throw WireJson.Wrong("response_format.type", "'text', 'json_object' or 'json_schema'");
        }
    }

    private static void ReadSchema(JsonElement given, ChatOptions options)
    {
        const string Path = "response_format.json_schema.";
        // A schema has members named like this only among its properties.
        var isNamed = given.TryGet("schema", out var schema) && schema.ValueKind == JsonValueKind.Object;
        if (!isNamed)
        {
            options.ResponseFormat = ChatResponseFormat.ForJsonSchema(given.Clone(), "answer");
            return;
        }
        options.ResponseFormat = ChatResponseFormat.ForJsonSchema(
            schema.Clone(),
            given.Text("name", Path) ?? "answer",
            given.Text("description", Path)
        );
        // The name under which Microsoft.Extensions.AI.OpenAI looks for it.
        if (given.Flag("strict", Path) is { } strict)
            (options.AdditionalProperties ??= [])["strict"] = strict;
    }
}
