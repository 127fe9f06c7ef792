namespace Functions.PgSidecar.Testing.Ai;

/// <summary>Answers in OpenAI's format.</summary>
public static class OpenAiAnswers
{
    /// <summary>A complete answer.</summary>
    public static ScriptedAnswer Chat(string text, int inputTokens = 10, int outputTokens = 5, int cachedTokens = 0) =>
        ScriptedAnswer.Raw(
            ScriptedAnswer.Json(
                new
                {
                    id = "chatcmpl-1",
                    @object = "chat.completion",
                    created = 1_700_000_000,
                    model = "scripted",
                    choices = new[]
                    {
                        new
                        {
                            index = 0,
                            message = new { role = "assistant", content = text },
                            finish_reason = "stop",
                        },
                    },
                    usage = Usage(inputTokens, outputTokens, cachedTokens),
                }
            )
        );

    /// <summary>An answer that calls a tool.</summary>
    public static ScriptedAnswer ToolCall(string name, string arguments) =>
        ScriptedAnswer.Raw(
            ScriptedAnswer.Json(
                new
                {
                    id = "chatcmpl-1",
                    @object = "chat.completion",
                    created = 1_700_000_000,
                    model = "scripted",
                    choices = new[]
                    {
                        new
                        {
                            index = 0,
                            message = new
                            {
                                role = "assistant",
                                content = (string?)null,
                                tool_calls = new[]
                                {
                                    new
                                    {
                                        id = "call_1",
                                        type = "function",
                                        function = new { name, arguments },
                                    },
                                },
                            },
                            finish_reason = "tool_calls",
                        },
                    },
                    usage = Usage(10, 5, 0),
                }
            )
        );

    /// <summary>A stream of texts, with the usage at its end.</summary>
    public static ScriptedAnswer Stream(params string[] texts) =>
        ScriptedAnswer.Events([
            .. texts.Select(static text => Chunk(new { role = "assistant", content = text })),
            Chunk(new { }, "stop"),
            UsageChunk(),
            Done,
        ]);

    /// <summary>A stream that calls a tool, whose arguments arrive in pieces.</summary>
    public static ScriptedAnswer ToolStream(string name, params string[] arguments) =>
        ScriptedAnswer.Events([
            Chunk(
                new
                {
                    role = "assistant",
                    tool_calls = new[]
                    {
                        new
                        {
                            index = 0,
                            id = "call_1",
                            type = "function",
                            function = new { name, arguments = "" },
                        },
                    },
                }
            ),
            .. arguments.Select(static piece =>
                Chunk(new { tool_calls = new[] { new { index = 0, function = new { arguments = piece } } } })
            ),
            Chunk(new { }, "tool_calls"),
            UsageChunk(),
            Done,
        ]);

    /// <summary>An embedding of each input: its length, and its ordinal.</summary>
    public static ScriptedAnswer Embeddings(params string[] inputs) =>
        ScriptedAnswer.Raw(
            ScriptedAnswer.Json(
                new
                {
                    @object = "list",
                    model = "scripted",
                    data = inputs.Select(
                        static (input, i) =>
                            new
                            {
                                @object = "embedding",
                                index = i,
                                embedding = Convert.ToBase64String([
                                    .. new float[] { input.Length, i }.SelectMany(static value => BitConverter.GetBytes(value)),
                                ]),
                            }
                    ),
                    usage = new { prompt_tokens = 7, total_tokens = 7 },
                }
            )
        );

    /// <summary>One event of a stream.</summary>
    public static string Chunk(object delta, string? finishReason = null) =>
        Event(
            new
            {
                id = "chatcmpl-1",
                @object = "chat.completion.chunk",
                created = 1_700_000_000,
                model = "scripted",
                choices = new[]
                {
                    new
                    {
                        index = 0,
                        delta,
                        finish_reason = finishReason,
                    },
                },
            }
        );

    /// <summary>The end of a stream.</summary>
    public static string Done => "data: [DONE]\n\n";

    private static string UsageChunk() =>
        Event(
            new
            {
                id = "chatcmpl-1",
                @object = "chat.completion.chunk",
                created = 1_700_000_000,
                model = "scripted",
                choices = Array.Empty<object>(),
                usage = Usage(10, 5, 0),
            }
        );

    private static string Event(object value) => $"data: {ScriptedAnswer.Json(value)}\n\n";

    private static object Usage(int input, int output, int cached) =>
        new
        {
            prompt_tokens = input,
            completion_tokens = output,
            total_tokens = input + output,
            prompt_tokens_details = new { cached_tokens = cached },
        };
}
