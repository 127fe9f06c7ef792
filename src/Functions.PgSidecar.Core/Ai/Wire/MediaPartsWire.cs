using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Reads the parts of messages that are no text. What is at a URL, the provider fetches; the sidecar never does.</summary>
internal static class MediaPartsWire
{
    /// <summary>Reads <c>{image_url: {url, detail?}}</c>, or <c>{image_url: "..."}</c>.</summary>
    public static AIContent ReadImage(JsonElement part, string path)
    {
        if (!part.TryGet("image_url", out var image))
            throw WireJson.Wrong(path + "image_url", "an object with a url");
        if (image.ValueKind == JsonValueKind.String)
            return OfUrl(part.RequiredText("image_url", path), path + "image_url", null);
        image.Object(path + "image_url");
        var inner = path + "image_url.";
        return OfUrl(image.RequiredText("url", inner), inner + "url", image.Text("detail", inner));
    }

    /// <summary>Reads <c>{input_audio: {data, format}}</c>.</summary>
    public static AIContent ReadAudio(JsonElement part, string path)
    {
        if (!part.TryGet("input_audio", out var audio))
            throw WireJson.Wrong(path + "input_audio", "an object with data and format");
        var inner = path + "input_audio.";
        var type = audio.Object(path + "input_audio").RequiredText("format", inner) switch
        {
            "wav" => "audio/wav",
            "mp3" => "audio/mpeg",
            _ => throw WireJson.Wrong(inner + "format", "'wav' or 'mp3'"),
        };
        if (!audio.TryGet("data", out var data) || data.ValueKind != JsonValueKind.String || !data.TryGetBytesFromBase64(out var bytes))
            throw WireJson.Wrong(inner + "data", "base64");
        return new DataContent(bytes, type);
    }

    /// <summary>Reads <c>{file: {file_data, filename?}}</c>, whose data is a data URL.</summary>
    public static AIContent ReadFile(JsonElement part, string path)
    {
        if (!part.TryGet("file", out var file))
            throw WireJson.Wrong(path + "file", "an object with file_data");
        var inner = path + "file.";
        if (file.Object(path + "file").TryGet("file_id", out _))
            throw AiWireErrors.Unsupported(inner + "file_id", $"{inner}file_id is not supported: files of providers are not managed here.");
        var content = OfDataUrl(file.RequiredText("file_data", inner), inner + "file_data");
        content.Name = file.Text("filename", inner);
        return content;
    }

    private static AIContent OfUrl(string url, string path, string? detail)
    {
        AIContent content;
        if (url.StartsWith("data:", StringComparison.OrdinalIgnoreCase))
            content = OfDataUrl(url, path);
        else if (Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http")
            content = new UriContent(uri!, "image/*");
        else
            throw WireJson.Wrong(path, "a URL that begins with https:, http: or data:");
        if (detail is not null)
            (content.AdditionalProperties ??= [])["detail"] = detail;
        return content;
    }

    private static DataContent OfDataUrl(string url, string path)
    {
        try
        {
            return new DataContent(url);
        }
        catch (Exception e) when (e is ArgumentException or UriFormatException or FormatException)
        {
            throw WireJson.Wrong(path, "a data URL with a media type");
        }
    }
}
