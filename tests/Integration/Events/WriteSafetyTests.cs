using System.Globalization;
using System.Security.Cryptography;
using Functions.PgSidecar.Postgres.Events;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>
/// No statement of the application fails that would not fail without function triggers. Random definitions and writes go to two schemas that are the same but for
/// the triggers, and must come to the same. <c>PGFN_DDL_STEPS</c> and <c>PGFN_DDL_SEED</c> make it longer, or the same again.
/// </summary>
public sealed class WriteSafetyTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(15, true, true)]
    [InlineData(15, true, false)]
    [InlineData(15, false, true)]
    [InlineData(15, false, false)]
    [InlineData(18, true, true)]
    [InlineData(18, true, false)]
    [InlineData(18, false, true)]
    [InlineData(18, false, false)]
    public async Task No_statement_fails_because_of_function_triggers(int version, bool hasGuard, bool isSidecarRunning)
    {
        Assert.SkipWhen(version == 18 && !NewerServer.IsInstalled, "The programs of PostgreSQL 18 (tests/EndToEnd/servers) are not there.");
        var seed = Setting("PGFN_DDL_SEED") ?? RandomNumberGenerator.GetInt32(int.MaxValue);
        var steps = Setting("PGFN_DDL_STEPS") ?? 100;
        output.WriteLine($"seed {seed}, {steps} steps");
        await using var database = version == 18 ? null : await TestDatabase.CreateAsync();
        await using var source = NpgsqlDataSource.Create(database?.ConnectionString ?? await NewerServer.CreateDatabaseAsync());
        await using var stage = new TwinSchemas(source);
        await stage.PrepareAsync(hasGuard);
        try
        {
            var statements = new RandomStatements(seed, version, hasGuard);
            var identities = new IdentityStore(source);
            for (var step = 0; step < steps; step++)
            {
                if (isSidecarRunning && step % 7 == 6)
                {
                    foreach (var table in await identities.UnsettledAsync(CancellationToken.None)) await identities.SettleAsync(table.Table, CancellationToken.None);
                }
                var sql = statements.Next();
                var (plain, watched) = await stage.ExecuteAsync(sql);
                Assert.True(plain == watched, $"seed {seed}, step {step}: {sql}\nwithout triggers: {plain}\nwith triggers: {watched}\n{stage.History}");
            }
            Assert.True(stage.Succeeded > steps / 4, $"seed {seed}: only {stage.Succeeded} of {steps} statements succeeded");
            foreach (var table in await identities.UnsettledAsync(CancellationToken.None)) Assert.True(await identities.SettleAsync(table.Table, CancellationToken.None));
            Assert.Empty(await identities.UnsettledAsync(CancellationToken.None));
        }
        finally
        {
            await stage.DropSlotAsync();
        }
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
}
