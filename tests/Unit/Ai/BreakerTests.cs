using Functions.PgSidecar.Core.Ai.Definitions;
using Functions.PgSidecar.Core.Ai.Providers;

namespace Functions.PgSidecar.Tests.Unit.Ai;

/// <summary>A provider that breaks repeatedly is left alone, and tried again after the pause.</summary>
public sealed class BreakerTests
{
    private static readonly AiProvider Provider = new()
    {
        Name = "main",
        Kind = AiProviderKind.OpenAi,
        BaseUrl = new Uri("http://127.0.0.1/v1"),
        Timeout = TimeSpan.FromSeconds(1),
        FirstChunkTimeout = TimeSpan.FromSeconds(1),
        Retries = 0,
        Models = null,
        LogsContents = false,
        UpdatedAt = DateTime.UnixEpoch,
    };

    [Fact]
    public async Task One_request_tries_the_provider_after_the_pause()
    {
        var time = new ManualTime(DateTimeOffset.UnixEpoch);
        var breaker = new AiBreaker(Provider, time);
        for (var i = 0; i < AiBreaker.MinimumThroughput; i++)
            Assert.Equal(AiAttemptFailure.Failed, await FailureAsync(breaker, 500));
        Assert.Equal(AiAttemptFailure.Paused, await FailureAsync(breaker, 500));

        time.Advance(AiBreaker.Pause);
        Assert.Equal(AiAttemptFailure.Failed, await FailureAsync(breaker, 500));
        Assert.Equal(AiAttemptFailure.Paused, await FailureAsync(breaker, 500));

        time.Advance(AiBreaker.Pause);
        Assert.Equal(7, await breaker.ExecuteAsync(static _ => ValueTask.FromResult(7), TestContext.Current.CancellationToken));
        Assert.Equal(AiAttemptFailure.Failed, await FailureAsync(breaker, 500));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(404)]
    [InlineData(429)]
    public async Task Refusals_and_limits_are_no_breakage(int status)
    {
        var breaker = new AiBreaker(Provider, new ManualTime(DateTimeOffset.UnixEpoch));

        for (var i = 0; i < 2 * AiBreaker.MinimumThroughput; i++)
            Assert.NotEqual(AiAttemptFailure.Paused, await FailureAsync(breaker, status));
    }

    private static async Task<AiAttemptFailure> FailureAsync(AiBreaker breaker, int status) =>
        (
            await Assert.ThrowsAsync<AiAttemptException>(async () =>
                await breaker.ExecuteAsync<int>(
                    _ => throw AiAttemptException.OfStatus(Provider, status, "", retryAfter: null),
                    TestContext.Current.CancellationToken
                )
            )
        ).Failure;
}
