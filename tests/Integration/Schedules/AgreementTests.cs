using System.Globalization;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Schedules;

/// <summary>
/// The server and the sidecar compute the same times of random expressions: in hard zones, from moments near changes of their clocks.
/// <c>PGFN_CRON_SEED</c> and <c>PGFN_CRON_ROUNDS</c> repeat or extend it.
/// </summary>
public sealed class AgreementTests : IAsyncLifetime
{
    private static readonly string[] Zones =
    [
        "UTC",
        "Europe/Berlin",
        "Europe/Dublin",
        "Europe/London",
        "America/New_York",
        "America/Havana",
        "America/Asuncion",
        "America/Sao_Paulo",
        "America/St_Johns",
        "Asia/Beirut",
        "Asia/Kathmandu",
        "Africa/Cairo",
        "Africa/Casablanca",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Pacific/Chatham",
        "Antarctica/Troll",
    ];

    private TestDatabase database = null!;

    public async ValueTask InitializeAsync() => database = await TestDatabase.CreateAsync();

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Server_and_sidecar_agree_on_random_expressions()
    {
        var seed = Setting("PGFN_CRON_SEED", Environment.TickCount);
        var random = new Random(seed);
        TestContext.Current.TestOutputHelper?.WriteLine($"PGFN_CRON_SEED={seed}");
        var compared = 0;
        for (var round = 0; round < Setting("PGFN_CRON_ROUNDS", 100); round++)
        {
            var zone = Pick(random, Zones);
            var after = NearChange(random, TimeZoneInfo.FindSystemTimeZoneById(zone));
            try
            {
                compared += (await BothEngines.NextAsync(database, Expression(random), zone, after, 6)).Length;
            }
            catch (Npgsql.PostgresException e) when (e.MessageText.Contains("never fires", StringComparison.Ordinal))
            {
                // 31 February, for instance.
            }
        }
        Assert.True(compared > 0);
    }

    /// <summary>A moment within a day of a change of the zone's clocks, or any moment if none is found.</summary>
    private static DateTimeOffset NearChange(Random random, TimeZoneInfo zone)
    {
        var moment = new DateTimeOffset(
            random.Next(2008, 2037),
            random.Next(1, 13),
            random.Next(1, 28),
            random.Next(24),
            random.Next(60),
            random.Next(60),
            TimeSpan.Zero
        );
        for (var days = 0; days < 200 && zone.GetUtcOffset(moment) == zone.GetUtcOffset(moment.AddDays(1)); days++)
            moment = moment.AddDays(1);
        return moment.AddSeconds(random.Next(86_400 * 2) - 43_200);
    }

    private static string Expression(Random random)
    {
        var seconds = random.Next(3) == 0 ? Field(random, 0, 59) + " " : "";
        return $"{seconds}{Field(random, 0, 59)} {Field(random, 0, 23)} {MonthDays(random)} {(random.Next(3) == 0 ? Field(random, 1, 12) : "*")} {WeekDays(random)}";
    }

    private static string MonthDays(Random random) =>
        random.Next(10) switch
        {
            < 5 => "*",
            5 => "L",
            6 => Pick(random, ["LW", "L-1", "L-27", "L-3W", "15,L"]),
            7 => $"{random.Next(1, 32)}W",
            _ => Field(random, 1, 31),
        };

    private static string WeekDays(Random random) =>
        random.Next(10) switch
        {
            < 5 => "*",
            5 => $"{random.Next(8)}L",
            6 => $"{random.Next(8)}#{random.Next(1, 6)}",
            7 => Pick(random, ["MON-FRI", "sat,sun", "FRI-MON", "7-2", "1/2"]),
            _ => Field(random, 0, 7),
        };

    private static string Field(Random random, int lowest, int highest)
    {
        int Value() => random.Next(lowest, highest + 1);
        return random.Next(7) switch
        {
            0 => "*",
            1 => $"*/{random.Next(1, highest + 1)}",
            2 => $"{Value()}-{Value()}",
            3 => $"{Value()}-{Value()}/{random.Next(1, 6)}",
            4 => $"{Value()},{Value()},{Value()}",
            _ => $"{Value()}",
        };
    }

    private static string Pick(Random random, string[] values) => values[random.Next(values.Length)];

    private static int Setting(string name, int fallback) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var number) ? number : fallback;
}
