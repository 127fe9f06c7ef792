using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Broken triggers are counted in health and metrics, and do not make the sidecar unready.</summary>
public sealed class BrokenTriggerTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Health_and_metrics_count_broken_triggers_until_they_are_repaired()
    {
        await using var harness = await FaultHarness.CreateAsync();
        using var http = new HttpClient { BaseAddress = harness.First.Url };
        await HealthIsAsync(http, """{"status":"ready"}""");

        await harness.ExecuteAsync(
            "create table others (id int); select functions.create_trigger('others', 'noting', 'others', '{INSERT}'); drop table others"
        );
        await HealthIsAsync(http, """{"status":"ready","broken_triggers":1}""");
        Assert.Contains("\nfunctions_triggers_broken 1\n", await http.GetStringAsync("/metrics"), StringComparison.Ordinal);

        // A function that takes no events is not a defect of a table, and counts as well.
        await harness.ExecuteAsync("select functions.disable('noting')");
        await HealthIsAsync(http, """{"status":"ready","broken_triggers":2}""");

        await harness.ExecuteAsync("select functions.enable('noting'); select functions.drop_trigger('others')");
        await HealthIsAsync(http, """{"status":"ready"}""");
    }

    private static Task HealthIsAsync(HttpClient http, string wanted) =>
        Eventually.HoldsAsync(async () => await http.GetStringAsync("/health/ready") == wanted);
}
