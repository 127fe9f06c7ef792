using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>Vectors to be stored, column by column. The values are those of all vectors, one after the other.</summary>
internal readonly record struct NewVectors(
    string[] Ids,
    string[] Namespaces,
    string[] Metadata,
    string?[] Documents,
    string?[] Owners,
    float[] Values
);

/// <summary>Reads the arguments of operations on vectors; the guest wrote them, and need not be ours.</summary>
internal static class VectorArguments
{
    /// <summary>The most vectors, or ids, in one operation.</summary>
    public const int MaxVectors = 1000;

    /// <summary>The most matches of a search.</summary>
    public const int MaxTopK = 100;

    private const int MaxIdBytes = 64;
    private const int MaxMetadataBytes = 10 * 1024;
    private const int MaxKeyLength = 512;
    private const int MaxDocumentLength = 256 * 1024;
    private const int MaxTextLength = 4096;

    /// <summary>
    /// Vectors to be stored, of which each id is taken once: of several with one id, the last if they replace, else the first.
    /// </summary>
    public static NewVectors ReadVectors(VectorDefinition index, JsonElement arguments, ReadOnlyMemory<byte> payload, bool isUpsert)
    {
        var given = arguments.GetProperty("vectors"u8);
        var count = given.GetArrayLength();
        if (count is 0 or > MaxVectors)
            throw Invalid($"insert and upsert take 1 to {MaxVectors} vectors, not {count}.");
        var positions = new Dictionary<string, int>(count, StringComparer.Ordinal);
        var vectors = given.EnumerateArray().ToArray();
        for (var i = 0; i < count; i++)
        {
            var id = ReadId(vectors[i].GetProperty("id"u8));
            CheckDimensions(index, id, vectors[i].GetProperty("n"u8).GetInt32());
            if (isUpsert)
                positions[id] = i;
            else
                positions.TryAdd(id, i);
        }
        var all = ReadFloats(index, payload, count);
        int[] taken = [.. positions.Values];
        return new NewVectors(
            [.. positions.Keys],
            [.. taken.Select(i => ReadNamespace(vectors[i]) ?? "")],
            [.. taken.Select(i => ReadMetadata(vectors[i]))],
            [.. taken.Select(i => ReadText(vectors[i], "document", MaxDocumentLength))],
            [.. taken.Select(i => ReadText(vectors[i], "owner", MaxKeyLength))],
            taken.Length == count ? all : Pick(all, taken, index.Dimensions)
        );
    }

    /// <summary>The text whose neighbours are searched; null if the search has a vector or an id.</summary>
    public static string? ReadQuery(VectorDefinition index, JsonElement arguments)
    {
        if (ReadText(arguments, "query", MaxDocumentLength) is not { } query)
            return null;
        if (string.IsNullOrWhiteSpace(query))
            throw Invalid("The text to search for is empty.");
        return index.Model is not null
            ? query
            : throw Invalid(
                $"The vector index '{index.Name}' has no model, so it can't be searched by a text: set the option model of functions.create_vector_index, or give a vector."
            );
    }

    /// <summary>A search.</summary>
    public static VectorSearch ReadSearch(VectorDefinition index, JsonElement arguments, ReadOnlyMemory<byte> payload)
    {
        var topK = arguments.GetProperty("topK"u8).GetInt32();
        if (topK is < 1 or > MaxTopK)
            throw Invalid($"topK is a whole number from 1 to {MaxTopK}, not {topK}.");
        var id = arguments.TryGetProperty("id"u8, out var given) ? ReadId(given) : null;
        if (id is null)
            CheckDimensions(index, null, payload.Length / sizeof(float));
        var weight = arguments.TryGetProperty("textWeight"u8, out var w) ? w.GetDouble() : 0.5;
        if (weight is not (>= 0 and <= 1))
            throw Invalid("textWeight is a number from 0 to 1.");
        return new VectorSearch
        {
            Vector = id is null ? ReadFloats(index, payload, 1) : null,
            Id = id,
            TopK = topK,
            Namespace = ReadNamespace(arguments),
            Filter = arguments.TryGetProperty("filter"u8, out var filter) ? VectorFilter.Compile(filter) : null,
            Text = ReadText(arguments, "text", MaxTextLength),
            TextWeight = weight,
            IsExact = IsTrue(arguments, "exact"),
            WithValues = IsTrue(arguments, "values"),
            WithMetadata = IsTrue(arguments, "metadata"),
            WithDocument = IsTrue(arguments, "document"),
        };
    }

    /// <summary>Ids of vectors.</summary>
    public static string[] ReadIds(JsonElement arguments)
    {
        var ids = arguments.GetProperty("ids"u8);
        return ids.GetArrayLength() is >= 1 and <= MaxVectors
            ? [.. ids.EnumerateArray().Select(ReadId)]
            : throw Invalid($"1 to {MaxVectors} ids are expected, not {ids.GetArrayLength()}.");
    }

    /// <summary>The namespace, or null.</summary>
    public static string? ReadNamespace(JsonElement arguments)
    {
        if (ReadText(arguments, "namespace", MaxIdBytes) is not { } name)
            return null;
        return Encoding.UTF8.GetByteCount(name) <= MaxIdBytes ? name : throw InvalidId("A namespace");
    }

    private static string ReadId(JsonElement id) =>
        id.GetString() is { Length: > 0 } text
        && Encoding.UTF8.GetByteCount(text) <= MaxIdBytes
        && !text.Contains('\0', StringComparison.Ordinal)
            ? text
            : throw InvalidId("An id");

    private static string? ReadText(JsonElement arguments, string name, int maxLength)
    {
        if (!arguments.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        var text = value.GetString()!;
        return text.Length <= maxLength && !text.Contains('\0', StringComparison.Ordinal)
            ? text
            : throw Invalid($"{name} is a text of at most {maxLength} characters, without NUL characters.");
    }

    private static bool IsTrue(JsonElement arguments, string name) =>
        arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    private static string ReadMetadata(JsonElement vector)
    {
        if (!vector.TryGetProperty("metadata"u8, out var metadata) || metadata.ValueKind == JsonValueKind.Null)
            return "{}";
        if (metadata.ValueKind != JsonValueKind.Object)
            throw InvalidMetadata("Metadata is an object.");
        var text = metadata.GetRawText();
        if (Encoding.UTF8.GetByteCount(text) > MaxMetadataBytes)
            throw InvalidMetadata($"Metadata has at most {MaxMetadataBytes} bytes as JSON.");
        CheckKeys(metadata);
        return text;
    }

    private static void CheckKeys(JsonElement metadata)
    {
        foreach (var member in metadata.EnumerateObject())
        {
            if (member.Name.Length is 0 or > MaxKeyLength || member.Name[0] == '$' || member.Name.AsSpan().ContainsAny("\".|\0"))
            {
                throw InvalidMetadata("A key of metadata has 1 to 512 characters, does not begin with $, and has no \", | or dot.");
            }
            if (member.Value.ValueKind == JsonValueKind.Object)
                CheckKeys(member.Value);
        }
    }

    private static float[] ReadFloats(VectorDefinition index, ReadOnlyMemory<byte> payload, int vectors)
    {
        if (payload.Length != (long)vectors * index.Dimensions * sizeof(float))
            throw new FormatException();
        var values = MemoryMarshal.Cast<byte, float>(payload.Span).ToArray();
        for (var i = 0; i < vectors; i++)
        {
            var vector = values.AsSpan(i * index.Dimensions, index.Dimensions);
            var isZero = true;
            foreach (var value in vector)
            {
                if (!float.IsFinite(value))
                    throw InvalidVector("A vector has a value that is no finite number of 32 bits.");
                isZero &= value == 0;
            }
            if (isZero && index.Metric == "cosine")
                throw InvalidVector("A vector of zeros has no direction: it can't be compared by cosine.");
        }
        return values;
    }

    private static float[] Pick(float[] all, int[] taken, int dimensions)
    {
        var picked = new float[taken.Length * dimensions];
        for (var i = 0; i < taken.Length; i++)
            all.AsSpan(taken[i] * dimensions, dimensions).CopyTo(picked.AsSpan(i * dimensions));
        return picked;
    }

    private static void CheckDimensions(VectorDefinition index, string? id, int dimensions)
    {
        if (dimensions == index.Dimensions)
            return;
        var which = id is null ? "The vector" : $"The vector '{id}'";
        throw InvalidVector($"{which} has {dimensions} dimensions; those of the index '{index.Name}' have {index.Dimensions}.");
    }

    private static SidecarException Invalid(string message) => new("PGFN5902", 400, message);

    private static SidecarException InvalidId(string what) =>
        Invalid($"{what} is a text of 1 to {MaxIdBytes} bytes, without NUL characters.");

    private static SidecarException InvalidMetadata(string message) => new("PGFN5904", 400, message);

    private static SidecarException InvalidVector(string message) => new("PGFN5905", 400, message);
}
