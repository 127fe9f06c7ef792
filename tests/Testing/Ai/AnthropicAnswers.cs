namespace Functions.PgSidecar.Testing.Ai;

/// <summary>Answers in Anthropic's format.</summary>
public static class AnthropicAnswers
{
    /// <summary>A complete answer.</summary>
    public static ScriptedAnswer Chat(string text, int inputTokens = 10, int outputTokens = 5, int cachedTokens = 0) =>
        Message("end_turn", Usage(inputTokens, outputTokens, cachedTokens), new { type = "text", text });

    /// <summary>A complete answer of any blocks.</summary>
    public static ScriptedAnswer Message(string stopReason, params object[] content) => Message(stopReason, Usage(10, 5, 0), content);

    /// <summary>A stream of any blocks, each with what begins it and its pieces.</summary>
    public static ScriptedAnswer BlockStream(string stopReason, params (object Start, object[] Deltas)[] blocks) =>
        ScriptedAnswer.Events([
            Start(),
            .. blocks.SelectMany(
                static (block, index) =>
                    (IEnumerable<string>)
                        [
                            Event(
                                "content_block_start",
                                new
                                {
                                    type = "content_block_start",
                                    index,
                                    content_block = block.Start,
                                }
                            ),
                            .. block.Deltas.Select(delta => Delta(delta, index)),
                            Event("content_block_stop", new { type = "content_block_stop", index }),
                        ]
            ),
            .. End(stopReason).Skip(1),
        ]);

    private static ScriptedAnswer Message(string stopReason, object usage, params object[] content) =>
        ScriptedAnswer.Raw(
            ScriptedAnswer.Json(
                new
                {
                    id = "msg_1",
                    type = "message",
                    role = "assistant",
                    model = "scripted",
                    content,
                    stop_reason = stopReason,
                    stop_sequence = (string?)null,
                    usage,
                }
            )
        );

    /// <summary>A stream of texts.</summary>
    public static ScriptedAnswer Stream(params string[] texts) =>
        ScriptedAnswer.Events([
            Start(),
            Event(
                "content_block_start",
                new
                {
                    type = "content_block_start",
                    index = 0,
                    content_block = new { type = "text", text = "" },
                }
            ),
            Event("ping", new { type = "ping" }),
            .. texts.Select(static text => Delta(new { type = "text_delta", text })),
            .. End("end_turn"),
        ]);

    /// <summary>A stream that calls a tool, whose arguments arrive in pieces.</summary>
    public static ScriptedAnswer ToolStream(string name, params string[] arguments) =>
        ScriptedAnswer.Events([
            Start(),
            Event(
                "content_block_start",
                new
                {
                    type = "content_block_start",
                    index = 0,
                    content_block = new
                    {
                        type = "tool_use",
                        id = "toolu_1",
                        name,
                        input = new { },
                    },
                }
            ),
            .. arguments.Select(static piece => Delta(new { type = "input_json_delta", partial_json = piece })),
            .. End("tool_use"),
        ]);

    /// <summary>The event that begins a stream.</summary>
    public static string Start() =>
        Event(
            "message_start",
            new
            {
                type = "message_start",
                message = new
                {
                    id = "msg_1",
                    type = "message",
                    role = "assistant",
                    model = "scripted",
                    content = Array.Empty<object>(),
                    stop_reason = (string?)null,
                    stop_sequence = (string?)null,
                    usage = Usage(10, 1, 0),
                },
            }
        );

    /// <summary>An event that says that the stream failed.</summary>
    public static string Error(string type, string message) => Event("error", new { type = "error", error = new { type, message } });

    /// <summary>One piece of a block.</summary>
    public static string Delta(object delta, int index = 0) =>
        Event(
            "content_block_delta",
            new
            {
                type = "content_block_delta",
                index,
                delta,
            }
        );

    private static IEnumerable<string> End(string reason) =>
        [
            Event("content_block_stop", new { type = "content_block_stop", index = 0 }),
            Event(
                "message_delta",
                new
                {
                    type = "message_delta",
                    delta = new { stop_reason = reason, stop_sequence = (string?)null },
                    usage = new { output_tokens = 5 },
                }
            ),
            Event("message_stop", new { type = "message_stop" }),
        ];

    private static string Event(string name, object data) => $"event: {name}\ndata: {ScriptedAnswer.Json(data)}\n\n";

    private static object Usage(int input, int output, int cached) =>
        new
        {
            input_tokens = input,
            output_tokens = output,
            cache_read_input_tokens = cached,
            cache_creation_input_tokens = 0,
        };
}
