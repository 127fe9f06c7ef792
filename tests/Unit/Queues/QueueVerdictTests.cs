using System.Text;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Queues;

namespace Functions.PgSidecar.Tests.Unit.Queues;

/// <summary>What becomes of each message of a batch, by what its function answered.</summary>
public sealed class QueueVerdictTests
{
    private static readonly QueueBatch Batch = new(
        Guid.CreateVersion7(),
        Guid.CreateVersion7(),
        "q",
        [.. new long[] { 1, 2, 3 }.Select(id => new QueueMessage(id, 1, DateTime.UnixEpoch, "null", null))]
    );

    [Theory]
    [InlineData("null", "1,2,3", "")]
    [InlineData("", "1,2,3", "")]
    [InlineData("no JSON", "1,2,3", "")]
    [InlineData("[1]", "1,2,3", "")]
    [InlineData("""{"acks":["1"],"retries":[]}""", "1,2,3", "")]
    [InlineData("""{"retries":["2"]}""", "1,3", "2:")]
    [InlineData("""{"retries":[2,{"id":"3","delaySeconds":60}]}""", "1", "2:,3:60")]
    [InlineData(
        """{"retries":[{"id":1,"delaySeconds":-5},{"id":2,"delaySeconds":1e99},{"id":3,"delaySeconds":"soon"}]}""",
        "",
        "1:0,2:86400,3:"
    )]
    [InlineData("""{"retries":[7,"8",null,{},"",-1,1.5,"99999999999999999999"]}""", "1,2,3", "")]
    [InlineData("""{"retries":{"id":1}}""", "1,2,3", "")]
    public void A_function_that_returns_acknowledges_what_it_does_not_name(string answer, string acknowledged, string retried) =>
        AssertOutcome(
            new InvocationResult(InvocationOutcome.Succeeded, default, Encoding.UTF8.GetBytes(answer)),
            acknowledged,
            retried,
            ""
        );

    [Theory]
    [InlineData(null, "", "1:,2:,3:")]
    [InlineData("""{"acks":["1"],"retries":[{"id":"2","delaySeconds":9}]}""", "1", "2:9,3:")]
    [InlineData("""{"acks":["1","7"],"retries":["1"]}""", "", "1:,2:,3:")]
    [InlineData("[[[", "", "1:,2:,3:")]
    public void A_function_that_throws_retries_what_it_has_not_acknowledged(string? messages, string acknowledged, string retried)
    {
        var outcome = AssertOutcome(
            new InvocationResult(InvocationOutcome.Threw, default, default, "FUNCTION_ERROR", "no") { Messages = messages },
            acknowledged,
            retried,
            ""
        );
        Assert.Equal(("FUNCTION_ERROR", "no"), (outcome.ErrorCode, outcome.ErrorMessage));
    }

    [Theory]
    [InlineData(nameof(InvocationOutcome.Rejected), 503, false, "", "1,2,3")]
    [InlineData(nameof(InvocationOutcome.Cancelled), 499, false, "", "1,2,3")]
    [InlineData(nameof(InvocationOutcome.HostError), 503, false, "", "1,2,3")]
    [InlineData(nameof(InvocationOutcome.HostError), 503, true, "1:,2:,3:", "")]
    [InlineData(nameof(InvocationOutcome.HostError), 500, false, "1:,2:,3:", "")]
    [InlineData(nameof(InvocationOutcome.TimedOut), 504, false, "1:,2:,3:", "")]
    [InlineData(nameof(InvocationOutcome.OutOfMemory), 507, false, "1:,2:,3:", "")]
    public void What_the_function_did_not_cause_costs_no_attempt(
        string outcome,
        int status,
        bool isDoubtful,
        string retried,
        string released
    ) =>
        AssertOutcome(
            new InvocationResult(Enum.Parse<InvocationOutcome>(outcome), default, default, "X")
            {
                Status = status,
                MayBeItsOwnDoing = isDoubtful,
            },
            "",
            retried,
            released
        );

    private static QueueOutcome AssertOutcome(InvocationResult result, string acknowledged, string retried, string released)
    {
        var outcome = QueueVerdicts.Of(Batch, result);
        Assert.Equal(acknowledged, string.Join(',', outcome.Acknowledged));
        Assert.Equal(retried, string.Join(',', outcome.Retried.Select(retry => $"{retry.Id}:{retry.Delay}")));
        Assert.Equal(released, string.Join(',', outcome.Released));
        return outcome;
    }
}
