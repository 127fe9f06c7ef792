using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>A span that a <see cref="TraceCollector"/> got.</summary>
internal sealed record CollectedSpan(
    string Service,
    string TraceId,
    string Id,
    string ParentId,
    string Name,
    long Kind,
    bool IsError,
    IReadOnlyDictionary<string, string> Attributes
);

/// <summary>A collector of OpenTelemetry: takes spans by OTLP, as protobuf over HTTP.</summary>
internal sealed class TraceCollector : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentQueue<CollectedSpan> spans = new();

    private TraceCollector(WebApplication app) => this.app = app;

    /// <summary>Its address.</summary>
    public string Url => app.Urls.First();

    /// <summary>The spans so far.</summary>
    public IReadOnlyList<CollectedSpan> Spans => [.. spans];

    /// <summary>Starts one on a free port.</summary>
    public static async Task<TraceCollector> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var collector = new TraceCollector(app);
        app.MapPost("/v1/traces", collector.TakeAsync);
        await app.StartAsync();
        return collector;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        Assert.Equal("application/x-protobuf", context.Request.ContentType);
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        foreach (var resource in Fields(body.ToArray()).Where(field => field.Number == 1))
        {
            var parts = Fields(resource.Bytes);
            var service = Attributes(Fields(parts.Single(field => field.Number == 1).Bytes), 1)["service.name"];
            foreach (var scope in parts.Where(field => field.Number == 2))
            {
                foreach (var span in Fields(scope.Bytes).Where(field => field.Number == 2))
                    spans.Enqueue(ReadSpan(service, Fields(span.Bytes)));
            }
        }
    }

    private static CollectedSpan ReadSpan(string service, List<Field> span)
    {
        return new CollectedSpan(
            service,
            Hex(1),
            Hex(2),
            Hex(4),
            Encoding.UTF8.GetString(Bytes(5)),
            span.Single(field => field.Number == 6).Value,
            Fields(Bytes(15)).Any(field => field is { Number: 3, Value: 2 }),
            Attributes(span, 9)
        );

        byte[] Bytes(int number) => span.FirstOrDefault(field => field.Number == number).Bytes ?? [];
        string Hex(int number) => Convert.ToHexStringLower(Bytes(number));
    }

    private static Dictionary<string, string> Attributes(List<Field> fields, int number) =>
        fields
            .Where(field => field.Number == number)
            .Select(field => Fields(field.Bytes))
            .ToDictionary(
                pair => Encoding.UTF8.GetString(pair.Single(part => part.Number == 1).Bytes),
                pair => Text(Fields(pair.Single(part => part.Number == 2).Bytes).Single()),
                StringComparer.Ordinal
            );

    private static string Text(Field value) =>
        value.Number == 1 ? Encoding.UTF8.GetString(value.Bytes) : value.Value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The fields of a message: varints and fixed numbers as <c>Value</c>, everything else as <c>Bytes</c>.</summary>
    private static List<Field> Fields(byte[] message)
    {
        var fields = new List<Field>();
        for (var at = 0; at < message.Length; )
        {
            var tag = Varint(message, ref at);
            var number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    fields.Add(new Field(number, Varint(message, ref at), []));
                    break;
                case 1:
                    fields.Add(new Field(number, BinaryPrimitives.ReadInt64LittleEndian(message.AsSpan(at)), []));
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(message, ref at);
                    fields.Add(new Field(number, 0, message[at..(at + length)]));
                    at += length;
                    break;
                default:
                    fields.Add(new Field(number, BinaryPrimitives.ReadInt32LittleEndian(message.AsSpan(at)), []));
                    at += 4;
                    break;
            }
        }
        return fields;
    }

    private static long Varint(byte[] message, ref int at)
    {
        var value = 0L;
        for (var shift = 0; ; shift += 7)
        {
            var part = message[at++];
            value |= (long)(part & 0x7f) << shift;
            if (part < 0x80)
                return value;
        }
    }

    private readonly record struct Field(int Number, long Value, byte[] Bytes);
}
