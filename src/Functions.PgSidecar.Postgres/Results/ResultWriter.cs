using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Results;

/// <summary>
/// Writes a statement's result as <c>{"command","fields":[{"name","type"}],"rows":[[...]],"rowCount","duration"}</c>, row by row as it
/// arrives, and stops at the limit.
/// </summary>
internal sealed class ResultWriter : IDisposable
{
    /// <summary>A longer value is read only if it fits into the output.</summary>
    private const int ShortBytes = 4096;

    private static readonly JsonWriterOptions JsonOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private readonly TypeCatalog catalog;
    private readonly LimitedOutput output;
    private readonly Utf8JsonWriter json;
    private byte[] buffer = ArrayPool<byte>.Shared.Rent(1024);

    public ResultWriter(IBufferWriter<byte> output, TypeCatalog catalog, int maxBytes)
    {
        this.catalog = catalog;
        this.output = new LimitedOutput(output, maxBytes);
        json = new Utf8JsonWriter(this.output, JsonOptions);
    }

    public void BeginBatch() => json.WriteStartArray();

    public void EndBatch() => json.WriteEndArray();

    /// <summary>Writes the beginning of a result: its fields and all rows. The reader may be null for a statement without rows.</summary>
    /// <returns>How many rows were written.</returns>
    public async Task<long> WriteRowsAsync(NpgsqlDataReader? reader, CancellationToken cancellationToken)
    {
        json.WriteStartObject();
        var types = reader is null ? [] : new PostgresType[reader.FieldCount];
        for (var i = 0; i < types.Length; i++)
            types[i] = await catalog.GetAsync(reader!.GetDataTypeOID(i), cancellationToken).ConfigureAwait(false);
        WriteFields(reader, types);

        json.WriteStartArray("rows"u8);
        var rows = 0L;
        while (reader is not null && await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            await WriteRowAsync(reader, types, cancellationToken).ConfigureAwait(false);
            rows++;
        }
        json.WriteEndArray();
        return rows;
    }

    /// <summary>Writes the end of a result, once the statement is complete.</summary>
    public void WriteCompletion(string command, long rowCount, double milliseconds)
    {
        json.WriteString("command"u8, command);
        json.WriteNumber("rowCount"u8, rowCount);
        json.WriteNumber("duration"u8, Math.Round(milliseconds, 3));
        json.WriteEndObject();
        EnsureWithinLimit(0);
    }

    /// <summary>Writes the result of a script.</summary>
    public void WriteScript(int count, double milliseconds)
    {
        json.WriteStartObject();
        json.WriteNumber("count"u8, count);
        json.WriteNumber("duration"u8, Math.Round(milliseconds, 3));
        json.WriteEndObject();
    }

    public void Flush() => json.Flush();

    public void Dispose()
    {
        json.Dispose();
        ArrayPool<byte>.Shared.Return(buffer);
    }

    private void WriteFields(NpgsqlDataReader? reader, PostgresType[] types)
    {
        json.WriteStartArray("fields"u8);
        for (var i = 0; i < types.Length; i++)
        {
            json.WriteStartObject();
            json.WriteString("name"u8, reader!.GetName(i));
            json.WriteString("type"u8, types[i].Name);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private async ValueTask WriteRowAsync(NpgsqlDataReader reader, PostgresType[] types, CancellationToken cancellationToken)
    {
        json.WriteStartArray();
        for (var i = 0; i < types.Length; i++)
        {
            if (await reader.IsDBNullAsync(i, cancellationToken).ConfigureAwait(false))
            {
                json.WriteNullValue();
                continue;
            }

            // The length is known before the value is read, so that a value that is too large never gets into memory.
            await using var value = await reader.GetStreamAsync(i, cancellationToken).ConfigureAwait(false);
            var length = (int)value.Length;
            EnsureWithinLimit(length);
            if (length > ShortBytes)
            {
                json.Flush();
                output.GetMemory(length);
            }
            if (length > buffer.Length)
            {
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = ArrayPool<byte>.Shared.Rent(length);
            }
            await value.ReadExactlyAsync(buffer.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
            ValueWriter.Write(json, types[i], buffer.AsSpan(0, length));
        }
        json.WriteEndArray();
        EnsureWithinLimit(0);
    }

    private void EnsureWithinLimit(long more) => output.EnsureWithinLimit(json.BytesPending + more);
}
