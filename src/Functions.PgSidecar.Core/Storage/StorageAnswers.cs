using System.Buffers;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>Writes the results of the operations as the guest reads them.</summary>
internal static class StorageAnswers
{
    /// <summary>An object, or null.</summary>
    public static ReadOnlyMemory<byte> Head(ObjectHead? head) =>
        head is null ? "null"u8.ToArray() : Write(writer => WriteHead(writer, head, ObjectRange.All(head.Size)));

    /// <summary>An object that is read: with its range, and the number of the stream if the bytes are not with the answer.</summary>
    public static ReadOnlyMemory<byte> Body(ObjectHead head, ObjectRange range, int? stream) =>
        Write(writer =>
        {
            writer.WriteStartObject();
            writer.WritePropertyName("head"u8);
            WriteHead(writer, head, range);
            writer.WriteBoolean("body"u8, true);
            if (stream is { } id)
                writer.WriteNumber("stream"u8, id);
            writer.WriteEndObject();
        });

    /// <summary>An object whose condition does not hold.</summary>
    public static ReadOnlyMemory<byte> Bodiless(ObjectHead head) =>
        Write(writer =>
        {
            writer.WriteStartObject();
            writer.WritePropertyName("head"u8);
            WriteHead(writer, head, ObjectRange.All(head.Size));
            writer.WriteBoolean("body"u8, false);
            writer.WriteEndObject();
        });

    /// <summary>What was written.</summary>
    public static ReadOnlyMemory<byte> Written(WrittenObject written) =>
        written.Part is { } part
            ? Write(writer =>
            {
                writer.WriteStartObject();
                writer.WriteNumber("partNumber"u8, part.Number);
                writer.WriteString("etag"u8, part.ETag);
                writer.WriteEndObject();
            })
        : written.Head is null ? "null"u8.ToArray()
        : Write(writer => WriteHead(writer, written.Head, null));

    /// <summary>A list.</summary>
    public static ReadOnlyMemory<byte> List(ObjectList list) =>
        Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("objects"u8);
            foreach (var head in list.Objects)
                WriteHead(writer, head, null);
            writer.WriteEndArray();
            writer.WriteStartArray("delimitedPrefixes"u8);
            foreach (var prefix in list.Prefixes)
                writer.WriteStringValue(prefix);
            writer.WriteEndArray();
            if (list.Cursor is not null)
                writer.WriteString("cursor"u8, list.Cursor);
            writer.WriteEndObject();
        });

    /// <summary>An object with one member.</summary>
    public static ReadOnlyMemory<byte> Member(string name, string value) =>
        Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString(name, value);
            writer.WriteEndObject();
        });

    /// <summary>The number of a stream.</summary>
    public static ReadOnlyMemory<byte> Writer(int id) =>
        Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteNumber("writer"u8, id);
            writer.WriteEndObject();
        });

    private static void WriteHead(Utf8JsonWriter writer, ObjectHead head, ObjectRange? range)
    {
        writer.WriteStartObject();
        writer.WriteString("key"u8, head.Key);
        writer.WriteString("version"u8, head.Version);
        writer.WriteNumber("size"u8, head.Size);
        writer.WriteString("etag"u8, head.ETag);
        writer.WriteNumber("uploaded"u8, head.Uploaded.ToUnixTimeMilliseconds());
        writer.WriteString("storageClass"u8, head.Metadata.StorageClass);
        writer.WritePropertyName("http"u8);
        writer.WriteRawValue(head.Metadata.Http);
        writer.WritePropertyName("custom"u8);
        writer.WriteRawValue(head.Metadata.Custom);
        writer.WritePropertyName("checksums"u8);
        writer.WriteRawValue(head.Checksums);
        if (range is { } bytes)
        {
            writer.WriteStartArray("range"u8);
            writer.WriteNumberValue(bytes.Offset);
            writer.WriteNumberValue(bytes.Length);
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }

    private static ReadOnlyMemory<byte> Write(Action<Utf8JsonWriter> members)
    {
        var json = new ArrayBufferWriter<byte>(512);
        using var writer = new Utf8JsonWriter(json);
        members(writer);
        writer.Flush();
        return json.WrittenMemory;
    }
}
