using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Ai.Wire;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Tests.Unit.Ai;

/// <summary>Reading requests in OpenAI's form: each member is translated, passed on, or refused by its name.</summary>
public sealed class OpenAiChatWireTests
{
    [Fact]
    public void Members_become_options()
    {
        var request = Read(
            """
            {"model": "m", "messages": [{"role": "user", "content": "hi", "name": "ada"}], "max_completion_tokens": 7, "temperature": 0.5,
             "top_p": 0.25, "frequency_penalty": 1, "presence_penalty": -1, "seed": 9, "stop": ["a", "b"], "stream": true,
             "stream_options": {"include_usage": true, "include_obfuscation": false}, "n": 1, "logprobs": false, "modalities": ["text"],
             "reasoning_effort": "high", "parallel_tool_calls": false, "tool_choice": {"type": "function", "function": {"name": "f"}},
             "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": true}}}
            """
        );
        var options = request.Options;
        Assert.Equal(("m", true, true, true), (request.Model, request.IsStreamed, request.IncludesUsage, request.WantsJson));
        Assert.Equal(
            (7, 0.5f, 0.25f, 1f, -1f, 9L),
            (options.MaxOutputTokens, options.Temperature, options.TopP, options.FrequencyPenalty, options.PresencePenalty, options.Seed)
        );
        Assert.Equal(["a", "b"], options.StopSequences!);
        Assert.Equal(ReasoningEffort.High, options.Reasoning!.Effort);
        Assert.False(options.AllowMultipleToolCalls);
        Assert.Equal("f", Assert.IsType<RequiredChatToolMode>(options.ToolMode).RequiredFunctionName);
        var format = Assert.IsType<ChatResponseFormatJson>(options.ResponseFormat);
        Assert.Equal(("s", """{"type": "object"}"""), (format.SchemaName, format.Schema!.Value.GetRawText()));
        Assert.Equal(true, options.AdditionalProperties!["strict"]);
        Assert.Equal("ada", Assert.Single(request.Messages).AuthorName);
    }

    [Fact]
    public void Tools_keep_their_schema_after_the_request_is_gone()
    {
        var request = Read(
            """
            {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [
              {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {}}}, "strict": true}},
              {"type": "function", "function": {"name": "g"}}]}
            """
        );
        var tools = request.Options.Tools!.Cast<AIFunctionDeclaration>().ToList();
        Assert.Equal(["f", "g"], tools.Select(tool => tool.Name));
        Assert.True(tools[0].JsonSchema.GetProperty("properties").TryGetProperty("a", out _));
        Assert.Equal(true, tools[0].AdditionalProperties["strict"]);
        Assert.Equal("object", tools[1].JsonSchema.GetProperty("type").GetString());
    }

    [Fact]
    public void A_conversation_with_tools_keeps_ids_arguments_and_results()
    {
        var messages = Read(
            """
            {"model": "m", "messages": [
              {"role": "developer", "content": [{"type": "text", "text": "be"}, {"type": "text", "text": " short"}]},
              {"role": "user", "content": "weather?"},
              {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"city\":\"Köln\"}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}]},
              {"role": "tool", "tool_call_id": "c1", "content": "sun"},
              {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "moon"}]}]}
            """
        ).Messages;
        Assert.Equal([ChatRole.System, ChatRole.User, ChatRole.Assistant, ChatRole.Tool], messages.Select(message => message.Role));
        Assert.Equal("be short", messages[0].Text);
        var calls = messages[2].Contents.Cast<FunctionCallContent>().ToList();
        Assert.Equal(("c1", "f", "Köln"), (calls[0].CallId, calls[0].Name, ((JsonElement)calls[0].Arguments!["city"]!).GetString()));
        Assert.Empty(calls[1].Arguments!);
        Assert.Equal(
            [("c1", "sun"), ("c2", "moon")],
            messages[3].Contents.Cast<FunctionResultContent>().Select(result => (result.CallId, (string)result.Result!))
        );
    }

    [Fact]
    public void Images_audio_and_files_become_contents_and_nothing_is_fetched()
    {
        var contents = Read(
            """
            {"model": "m", "messages": [{"role": "user", "content": [
              {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
              {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQI="}},
              {"type": "input_audio", "input_audio": {"data": "AQI=", "format": "wav"}},
              {"type": "file", "file": {"file_data": "data:application/pdf;base64,AQI=", "filename": "a.pdf"}}]}]}
            """
        )
            .Messages[0]
            .Contents;
        Assert.Equal("low", Assert.IsType<UriContent>(contents[0]).AdditionalProperties!["detail"]);
        Assert.Equal(["image/png", "audio/wav", "application/pdf"], contents.OfType<DataContent>().Select(content => content.MediaType));
        Assert.Equal([1, 2], contents.OfType<DataContent>().First().Data.ToArray());
    }

    [Fact]
    public void Hints_for_a_provider_are_passed_on_and_distinguish_the_request()
    {
        const string Messages = "\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]";
        var request = Read("""{"model": "m", """ + Messages + """, "user": "u1", "logit_bias": {"50256": -100}}""");
        Assert.Equal("""{"user":"u1","logit_bias":{"50256":-100}}""", Encoding.UTF8.GetString(request.Extras.Span));
        var raw = (OpenAI.Chat.ChatCompletionOptions)request.Options.RawRepresentationFactory!(null!)!;
        var sent = System.ClientModel.Primitives.ModelReaderWriter.Write(raw).ToString();
        Assert.Contains("\"user\":\"u1\"", sent, StringComparison.Ordinal);
        Assert.Contains("\"logit_bias\":{\"50256\": -100}", sent, StringComparison.Ordinal);
        Assert.Null(Read($$"""{"model": "m", {{Messages}}}""").Options.RawRepresentationFactory);
    }

    [Theory]
    [InlineData("\"n\": 2", "n")]
    [InlineData("\"logprobs\": true", "logprobs")]
    [InlineData("\"top_logprobs\": 3", "top_logprobs")]
    [InlineData("\"modalities\": [\"text\", \"audio\"]", "modalities")]
    [InlineData("\"audio\": {}", "audio")]
    [InlineData("\"prediction\": {}", "prediction")]
    [InlineData("\"web_search_options\": {}", "web_search_options")]
    [InlineData("\"functions\": []", "functions")]
    [InlineData("\"function_call\": \"auto\"", "function_call")]
    [InlineData("\"guided_json\": {}", "guided_json")]
    [InlineData("\"stream_options\": {\"x\": 1}", "stream_options")]
    [InlineData("\"tools\": [{\"type\": \"custom\", \"custom\": {}}]", "tools[0].type")]
    public void What_would_change_the_answer_is_refused_by_its_name(string member, string parameter) =>
        AssertRefused($$"""{"model": "m", "messages": [{"role": "user", "content": "hi"}], {{member}}}""", "PGFN5152", parameter);

    [Theory]
    [InlineData("""{"messages": [{"role": "user", "content": "hi"}]}""", "model")]
    [InlineData("""{"model": "m"}""", "messages")]
    [InlineData("""{"model": "m", "messages": []}""", "messages")]
    [InlineData("""{"model": "m", "messages": {}}""", "messages")]
    [InlineData("""{"model": "m", "messages": [1]}""", "messages[0]")]
    [InlineData("""{"model": "m", "messages": [{"content": "hi"}]}""", "messages[0].role")]
    [InlineData("""{"model": "m", "messages": [{"role": "robot", "content": "hi"}]}""", "messages[0].role")]
    [InlineData("""{"model": "m", "messages": [{"role": "user"}]}""", "messages[0].content")]
    [InlineData("""{"model": "m", "messages": [{"role": "user", "content": 5}]}""", "messages[0].content")]
    [InlineData("""{"model": "m", "messages": [{"role": "user", "content": [{"type": "x"}]}]}""", "messages[0].content[0].type")]
    [InlineData("""{"model": "m", "messages": [{"role": "tool", "content": "x"}]}""", "messages[0].tool_call_id")]
    [InlineData(
        """{"model": "m", "messages": [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{"}}]}]}""",
        "messages[0].tool_calls[0].function.arguments"
    )]
    [InlineData(
        """{"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]}""",
        "messages[0].content[0].image_url.url"
    )]
    [InlineData("""{"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": "warm"}""", "temperature")]
    [InlineData("""{"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": -1}""", "max_tokens")]
    [InlineData("""{"model": "m", "messages": [{"role": "user", "content": "hi"}], "tool_choice": "maybe"}""", "tool_choice")]
    public void What_is_wrong_is_named(string json, string parameter) => AssertRefused(json, "PGFN5151", parameter);

    private static void AssertRefused(string json, string code, string parameter)
    {
        var error = Assert.Throws<SidecarException>(() => Read(json));
        Assert.Equal((code, 400, parameter), (error.Code, error.Status, error.Data[AiWireErrors.Parameter]));
    }

    private static ChatRequest Read(string json)
    {
        using var document = JsonDocument.Parse(json);
        return OpenAiChatWire.Read(document.RootElement);
    }
}
