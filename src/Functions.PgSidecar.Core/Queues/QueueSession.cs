using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Database;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>
/// The queues in one invocation. A message is sent by a statement of the caller's role, over the connections that its own statements use:
/// grants and policies on the queue's table decide.
/// </summary>
internal sealed partial class QueueSession(
    FunctionDatabase database,
    QueueBacklogs backlogs,
    QueueMetrics metrics,
    Invocation invocation,
    TimeProvider time
) : BindingSession
{
    private const int MaxMessages = 100;

    /// <summary>The limits of Cloudflare (128,000 and 256,000 bytes), which the guest checks, after bytes were written in base64.</summary>
    private const int MaxMessageBytes = 172_000;
    private const int MaxBatchBytes = 352_000;

    private const int MaxDelay = 86_400;

    /// <summary>Longer arguments, in bytes, are not parsed on the sandbox thread, where no deadline could stop it.</summary>
    private const int ShortBytes = 16 * 1024;

    /// <summary>Work of the host for each byte of a message, in nanoseconds.</summary>
    private const long NanosecondsPerByte = 5;

    private const string UndefinedTable = "42P01";
    private const string InvalidSchema = "3F000";
    private const string InsufficientPrivilege = "42501";

    /// <summary>How much later than the invocation's deadline the server ends the statement itself.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private bool isAway;

    /// <inheritdoc/>
    protected override string AbortMessage => "The operation on the queue was cancelled: the invocation is over.";

    /// <inheritdoc/>
    public override void Start(GuestOperation operation) =>
        _ = operation.Arguments.Length <= ShortBytes ? RunAsync(operation) : RunElsewhereAsync(operation);

    /// <inheritdoc/>
    public override OutsideTrouble Explain(string code) =>
        code == SqlErrorCodes.Unavailable && Volatile.Read(ref isAway) ? OutsideTrouble.ServerAway : OutsideTrouble.None;

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <inheritdoc/>
    protected override async ValueTask ExecuteAsync(GuestOperation operation, JsonElement arguments)
    {
        var queue = arguments.GetProperty("queue"u8).GetString()!;
        if (!QueueName().IsMatch(queue))
            throw NoQueue(queue);
        var backlog = operation.Name switch
        {
            "queue.send" => await SendAsync(operation, queue, arguments.GetProperty("messages"u8)).ConfigureAwait(false),
            "queue.metrics" => await backlogs.MeasureAsync(queue, invocation.Caller.Role, operation.Cancellation).ConfigureAwait(false)
                ?? throw NoQueue(queue),
            _ => throw Unknown(operation),
        };
        operation.Succeed(Describe(backlog));
    }

    /// <inheritdoc/>
    protected override bool TryFail(GuestOperation operation, Exception failure)
    {
        if (QueueStore.IsServersFailure(failure))
        {
            Volatile.Write(ref isAway, true);
            operation.Fail("Error", "The queue can't be reached: the database does not answer.", SqlErrorCodes.Unavailable);
            return true;
        }
        if (failure is not FunctionSqlException e)
            return false;
        if (e.IsUnavailable && e.Code == SqlErrorCodes.Unavailable)
            Volatile.Write(ref isAway, true);
        operation.Fail(DbErrors.Describe(e, invocation.Caller.Writer));
        return true;
    }

    /// <summary>Sends messages: <c>[[body, headers or null, delay in seconds], ...]</c>, all or none of them.</summary>
    private async Task<QueueBacklog?> SendAsync(GuestOperation operation, string queue, JsonElement messages)
    {
        Check(messages);
        operation.Charge(NanosecondsPerByte * operation.Arguments.Length);
        // Inserted without the functions of the schema pgmq, which read what they have written: a role may send without reading. Every name
        // has its schema, because the search_path may have schemas in which others create objects.
        var statement = new FunctionStatement(
            $"""
            insert into pgmq."q_{queue}" (vt, message, headers)
            select pg_catalog.clock_timestamp() operator(pg_catalog.+)
                    pg_catalog.make_interval(secs => (m.value operator(pg_catalog.->>) 2)::pg_catalog.float8),
                m.value operator(pg_catalog.->) 0,
                case pg_catalog.jsonb_typeof(m.value operator(pg_catalog.->) 1) when 'object' then m.value operator(pg_catalog.->) 1 end
            from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality m (value, n) order by m.n
            """,
            [messages.GetRawText()]
        );
        try
        {
            await database
                .QueryAsync(Caller, statement, Deadline(operation), new ArrayBufferWriter<byte>(256), operation.Cancellation)
                .ConfigureAwait(false);
        }
        catch (FunctionSqlException e) when (e.Code is UndefinedTable or InvalidSchema)
        {
            throw NoQueue(queue);
        }
        catch (FunctionSqlException e) when (e.Code == InsufficientPrivilege && !e.Message.Contains("row-level", StringComparison.Ordinal))
        {
            throw new SidecarException(
                "PGFN5502",
                403,
                $"The role {invocation.Caller.Role} may not send to the queue '{queue}' (functions.create_queue, option send)."
            );
        }
        metrics.CountSent(messages.GetArrayLength());
        try
        {
            return await backlogs.FindAsync(queue, operation.Cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (QueueStore.IsServersFailure(e))
        {
            return backlogs.Known(queue); // the messages are sent
        }
    }

    /// <exception cref="SidecarException">PGFN5503: too many messages, or too large ones.</exception>
    private static void Check(JsonElement messages)
    {
        var whole = 0;
        if (messages.GetArrayLength() is 0 or > MaxMessages)
            throw TooLarge($"Queue sendBatch failed: {messages.GetArrayLength()} messages are not in the range of 1 to {MaxMessages}.");
        foreach (var message in messages.EnumerateArray())
        {
            if (
                message.GetArrayLength() != 3
                || message[1].ValueKind is not (JsonValueKind.Null or JsonValueKind.Object)
                || message[2].GetDouble() is not (>= 0 and <= MaxDelay)
            )
                throw new FormatException();
            var bytes = Encoding.UTF8.GetByteCount(message[0].GetRawText()) + Encoding.UTF8.GetByteCount(message[1].GetRawText());
            if (bytes > MaxMessageBytes)
                throw TooLarge($"Queue send failed: message length of {bytes} bytes exceeds limit of {MaxMessageBytes}");
            whole += bytes;
        }
        if (whole > MaxBatchBytes)
            throw TooLarge($"Queue sendBatch failed: batch size of {whole} bytes exceeds limit of {MaxBatchBytes}");
    }

    private static ReadOnlyMemory<byte> Describe(QueueBacklog? backlog)
    {
        var json = new ArrayBufferWriter<byte>(128);
        using var writer = new Utf8JsonWriter(json);
        QueueEnvelope.WriteBacklog(writer, backlog ?? new QueueBacklog(0, 0, null));
        writer.Flush();
        return json.WrittenMemory;
    }

    private CallerContext Caller =>
        new(invocation.Caller.Role, invocation.Caller.Subject, Encoding.UTF8.GetString(invocation.Caller.ClaimsJson.Span))
        {
            Function = invocation.Function.Name,
            Depth = invocation.Depth,
        };

    private DateTimeOffset Deadline(GuestOperation operation) =>
        time.GetUtcNow() + Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), operation.Deadline) + Grace;

    private static SidecarException NoQueue(string queue) =>
        new(
            "PGFN5501",
            404,
            $"There is no queue '{(queue.Length <= 64 ? queue : queue[..64] + "...")}', or the role may not use it; functions.create_queue makes one."
        );

    private static SidecarException TooLarge(string message) => new("PGFN5503", 413, message);

    /// <summary>A name that is one table's name in quotes, and nothing else.</summary>
    [GeneratedRegex(@"\A[a-z][a-z0-9_-]{0,46}\z")]
    private static partial Regex QueueName();
}
