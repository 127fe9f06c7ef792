using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Reads <c>messages</c>, in the form of OpenAI and, where it is looser, of Workers AI.</summary>
internal static class ChatMessagesWire
{
    private const int MaxMessages = 10_000;

    /// <summary>Reads the messages.</summary>
    /// <param name="request">The object that has them.</param>
    /// <param name="isLoose">
    /// Whether calls of tools may lack ids, as in Workers AI: then ids are made, and results belong to calls by name or order.
    /// </param>
    public static List<ChatMessage> Read(JsonElement request, bool isLoose)
    {
        var messages = new List<ChatMessage>();
        var unanswered = new List<FunctionCallContent>();
        var at = 0;
        foreach (var message in request.Items("messages"))
        {
            var path = $"messages[{at++}].";
            if (at > MaxMessages)
                throw WireJson.Wrong("messages", $"an array of at most {MaxMessages} messages");
            message.Object(path[..^1]);
            switch (message.RequiredText("role", path))
            {
                case "system" or "developer":
                    messages.Add(new ChatMessage(ChatRole.System, ReadContent(message, path)));
                    break;
                case "user":
                    messages.Add(new ChatMessage(ChatRole.User, ReadContent(message, path)) { AuthorName = message.Text("name", path) });
                    break;
                case "assistant":
                    messages.Add(ReadAssistant(message, path, isLoose, unanswered));
                    break;
                case "tool":
                    AddResult(messages, message, path, isLoose, unanswered);
                    break;
                default:
                    throw WireJson.Wrong(path + "role", "'system', 'developer', 'user', 'assistant' or 'tool'");
            }
        }
        if (messages.Count == 0)
            throw WireJson.Wrong("messages", "an array of at least one message");
        return messages;
    }

    private static ChatMessage ReadAssistant(JsonElement message, string path, bool isLoose, List<FunctionCallContent> unanswered)
    {
        if (message.TryGet("function_call", out _))
            throw AiWireErrors.Unsupported(path + "function_call", $"{path}function_call is not supported; use tool_calls.");
        if (message.TryGet("audio", out _))
            throw AiWireErrors.Unsupported(path + "audio", $"{path}audio is not supported: audio answers are not kept.");
        // Anthropic wants thinking before what it led to.
        List<AIContent> contents = [.. ThinkingWire.Read(message, path)];
        if (message.TryGet("content", out _))
            contents.AddRange(ReadContent(message, path));
        var at = 0;
        foreach (var call in message.Items("tool_calls", path))
        {
            var read = ReadCall(call, $"{path}tool_calls[{at++}].", isLoose);
            contents.Add(read);
            unanswered.Add(read);
        }
        if (message.Text("refusal", path) is { Length: > 0 } refusal)
            contents.Add(new TextContent(refusal));
        return new ChatMessage(ChatRole.Assistant, contents) { AuthorName = message.Text("name", path) };
    }

    private static FunctionCallContent ReadCall(JsonElement call, string path, bool isLoose)
    {
        var function = call.Object(path[..^1]);
        var inner = path;
        if (call.TryGet("function", out var nested))
            function = nested.Object((inner += "function.")[..^1]);
        else if (!isLoose)
            throw AiWireErrors.Unsupported(path + "function", $"{path[..^1]} must be a call of a function.");
        var id = call.Text("id", path);
        if (string.IsNullOrEmpty(id))
            id = isLoose ? $"call_{Guid.CreateVersion7():n}" : throw WireJson.Wrong(path + "id", "a text");
        return new FunctionCallContent(id, function.RequiredText("name", inner), ReadArguments(function, inner));
    }

    private static Dictionary<string, object?> ReadArguments(JsonElement function, string path)
    {
        var arguments = new Dictionary<string, object?>(StringComparer.Ordinal);
        if (!function.TryGet("arguments", out var given))
            return arguments;
        if (given.ValueKind == JsonValueKind.String)
        {
            var text = given.GetString()!;
            if (string.IsNullOrWhiteSpace(text))
                return arguments;
            try
            {
                given = JsonElement.Parse(text);
            }
            catch (JsonException)
            {
                throw WireJson.Wrong(path + "arguments", "the text of a JSON object");
            }
        }
        foreach (var argument in given.Object(path + "arguments").EnumerateObject())
            arguments[argument.Name] = argument.Value.Clone();
        return arguments;
    }

    /// <summary>Results of one turn are one message: Anthropic's interface wants them so, and others are given them one by one.</summary>
    private static void AddResult(
        List<ChatMessage> messages,
        JsonElement message,
        string path,
        bool isLoose,
        List<FunctionCallContent> unanswered
    )
    {
        var id = message.Text("tool_call_id", path);
        if (string.IsNullOrEmpty(id))
        {
            var name = isLoose ? message.Text("name", path) : null;
            var call = isLoose ? unanswered.Find(call => name is null || call.Name == name) : null;
            id = call?.CallId
                ?? throw AiWireErrors.Invalid(
                    path + "tool_call_id",
                    $"{path}tool_call_id must be the id of a call in tool_calls of an earlier message of the assistant."
                );
        }
        unanswered.RemoveAll(call => call.CallId == id);
        var result = new FunctionResultContent(
            id,
            string.Concat(ReadContent(message, path).OfType<TextContent>().Select(text => text.Text))
        );
        if (messages.Count > 0 && messages[^1].Role == ChatRole.Tool)
            messages[^1].Contents.Add(result);
        else
            messages.Add(new ChatMessage(ChatRole.Tool, [result]));
    }

    private static List<AIContent> ReadContent(JsonElement message, string path)
    {
        if (!message.TryGet("content", out var content))
            throw WireJson.Wrong(path + "content", "a text or an array of parts");
        if (content.ValueKind == JsonValueKind.String)
            return [new TextContent(content.GetString())];
        var parts = new List<AIContent>();
        var at = 0;
        foreach (var part in message.Items("content", path))
        {
            var inner = $"{path}content[{at++}].";
            part.Object(inner[..^1]);
            parts.Add(
                part.RequiredText("type", inner) switch
                {
                    "text" => new TextContent(part.RequiredText("text", inner)),
                    "refusal" => new TextContent(part.RequiredText("refusal", inner)),
                    "image_url" => MediaPartsWire.ReadImage(part, inner),
                    "input_audio" => MediaPartsWire.ReadAudio(part, inner),
                    "file" => MediaPartsWire.ReadFile(part, inner),
                    _ => throw WireJson.Wrong(inner + "type", "'text', 'image_url', 'input_audio' or 'file'"),
                }
            );
        }
        return parts;
    }
}
