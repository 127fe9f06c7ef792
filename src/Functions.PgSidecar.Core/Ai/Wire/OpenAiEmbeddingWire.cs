using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Texts of which a model makes vectors.</summary>
/// <param name="Model">The model as it was asked for.</param>
/// <param name="Inputs">The texts.</param>
/// <param name="Options">The number of dimensions, if it is asked for.</param>
/// <param name="IsBase64">Whether the vectors are answered as base64.</param>
internal sealed record EmbeddingRequest(string Model, List<string> Inputs, EmbeddingGenerationOptions Options, bool IsBase64)
{
    /// <summary>The most texts in one request, as OpenAI has it.</summary>
    public const int MaxInputs = 2048;
}

/// <summary>Reads and writes <c>POST /embeddings</c>, as OpenAI defines it.</summary>
internal static class OpenAiEmbeddingWire
{
    /// <exception cref="SidecarException">PGFN5151: the request can't be read; PGFN5152: it asks for what can't be given.</exception>
    public static EmbeddingRequest Read(JsonElement request)
    {
        var options = new EmbeddingGenerationOptions();
        var isBase64 = false;
        foreach (var member in request.Object("The request").EnumerateObject())
        {
            switch (member.Name)
            {
                // OpenAI's hint of who the user is; the gateway knows the caller.
                case "model" or "input" or "user":
                    break;
                case "dimensions":
                    options.Dimensions = request.Count("dimensions");
                    break;
                case "encoding_format":
                    isBase64 = request.Text("encoding_format") switch
                    {
                        "base64" => true,
                        "float" or null => false,
                        _ => throw WireJson.Wrong("encoding_format", "'float' or 'base64'"),
                    };
                    break;
                default:
                    if (member.Value.ValueKind != JsonValueKind.Null)
                        throw AiWireErrors.Unsupported(member.Name, $"{AiWireErrors.Shorten(member.Name)} is not supported.");
                    break;
            }
        }
        return new EmbeddingRequest(request.RequiredText("model"), ReadTexts(request, "input"), options, isBase64);
    }

    /// <summary>Reads one text or an array of them.</summary>
    public static List<string> ReadTexts(JsonElement request, string name)
    {
        if (request.TryGet(name, out var input) && input.ValueKind == JsonValueKind.String)
            return [input.GetString()!];
        var texts = new List<string>();
        foreach (var item in request.Items(name))
        {
            texts.Add(
                item.ValueKind switch
                {
                    JsonValueKind.String => item.GetString()!,
                    JsonValueKind.Number or JsonValueKind.Array => throw AiWireErrors.Unsupported(
                        name,
                        $"{name} must be texts: tokens are numbers of one model's own, and a route may lead to another model."
                    ),
                    _ => throw WireJson.Wrong(name, "a text or an array of texts"),
                }
            );
        }
        return texts.Count is > 0 and <= EmbeddingRequest.MaxInputs
            ? texts
            : throw WireJson.Wrong(name, $"a text or an array of 1 to {EmbeddingRequest.MaxInputs} texts");
    }

    /// <summary>Writes the list of vectors.</summary>
    public static ReadOnlyMemory<byte> Write(GeneratedEmbeddings<Embedding<float>> vectors, EmbeddingRequest request) =>
        WireWriter.Write((Vectors: vectors, Request: request), static (writer, state) =>
        {
            writer.WriteString("object"u8, "list"u8);
            writer.WriteStartArray("data"u8);
            for (var index = 0; index < state.Vectors.Count; index++)
            {
                writer.WriteStartObject();
                writer.WriteString("object"u8, "embedding"u8);
                writer.WriteNumber("index"u8, index);
                WriteVector(writer, state.Vectors[index].Vector.Span, state.Request.IsBase64);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteString("model"u8, state.Vectors.Count > 0 ? state.Vectors[0].ModelId ?? state.Request.Model : state.Request.Model);
            WireWriter.WriteUsage(writer, state.Vectors.Usage ?? new UsageDetails(), isEmbedding: true);
        });

    /// <summary>The numbers of vectors, one after the other, as 32-bit numbers with the lowest byte first.</summary>
    public static byte[] ToBytes(IReadOnlyList<Embedding<float>> vectors)
    {
        var bytes = new byte[vectors.Sum(static vector => vector.Vector.Length) * sizeof(float)];
        var at = 0;
        foreach (var vector in vectors)
        {
            CopyTo(vector.Vector.Span, bytes.AsSpan(at));
            at += vector.Vector.Length * sizeof(float);
        }
        return bytes;
    }

    private static void WriteVector(Utf8JsonWriter writer, ReadOnlySpan<float> vector, bool isBase64)
    {
        if (isBase64)
        {
            var bytes = new byte[vector.Length * sizeof(float)];
            CopyTo(vector, bytes);
            writer.WriteBase64String("embedding"u8, bytes);
            return;
        }
        writer.WriteStartArray("embedding"u8);
        foreach (var number in vector)
            writer.WriteNumberValue(number);
        writer.WriteEndArray();
    }

    private static void CopyTo(ReadOnlySpan<float> vector, Span<byte> bytes)
    {
        if (BitConverter.IsLittleEndian)
        {
            MemoryMarshal.AsBytes(vector).CopyTo(bytes);
            return;
        }
        for (var i = 0; i < vector.Length; i++)
            BinaryPrimitives.WriteSingleLittleEndian(bytes[(i * sizeof(float))..], vector[i]);
    }
}
