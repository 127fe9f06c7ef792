using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Registry;

/// <summary>
/// A version whose compilation or load ends the process is tried three times, after all other versions, and is then abandoned with the
/// reason.
/// </summary>
public sealed class AttemptTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(6);

    [Fact]
    public async Task Version_that_ended_three_sidecars_is_abandoned_until_retried()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "poison");
        for (var i = 0; i < RegistryStore.MaxAttempts; i++)
        {
            Assert.Equal("poison", Assert.Single((await ClaimAsync(store)).Claimed).Function);
            await LetSidecarsDieAsync(database);
        }

        var claims = await ClaimAsync(store);

        Assert.Empty(claims.Claimed);
        Assert.Equal(("poison", 1), claims.GivenUp.Select(version => (version.Function, version.Version)).Single());
        Assert.Equal(
            "failed: The sidecar ended 3 times while it compiled version 1 of \"poison\"; it is not tried again. Deploy a corrected version, or have this one tried again: "
                + "select functions.retry_version('poison', 1);",
            await database.ScalarAsync<string>("select status || ': ' || error from functions.versions")
        );
        Assert.Empty((await ClaimAsync(store)).GivenUp);

        await database.ExecuteAsync("select functions.retry_version('poison', 1)");
        await using var sidecar = await RegistrySidecar.StartAsync(database);
        await database.ExecuteAsync("call functions.wait_ready('poison')");
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions_private.attempts"));
    }

    [Fact]
    public async Task Version_deployed_during_a_claim_is_not_lost()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var hold = new Npgsql.NpgsqlCommand("lock table functions_private.attempts", connection, transaction))
            await hold.ExecuteNonQueryAsync();
        var claiming = ClaimAsync(store);
        await Eventually.HoldsAsync(() =>
            database.ScalarAsync<bool>(
                "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%claim_versions%')"
            )
        );

        await DeployAsync(database, "f");
        await transaction.CommitAsync();

        // A claimed version that is not returned would wait for the end of its lease.
        Assert.Equal("f", Assert.Single((await claiming).Claimed).Function);
    }

    [Fact]
    public async Task Suspect_version_is_compiled_last_and_alone()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        // All four were in progress when the sidecar died. Any of them may be the reason.
        foreach (var name in (string[])["a", "b", "poison"])
            await DeployAsync(database, name);
        Assert.Equal(3, (await ClaimAsync(store)).Claimed.Count);
        await LetSidecarsDieAsync(database);
        await DeployAsync(database, "newer");

        Assert.Equal("newer", Assert.Single((await ClaimAsync(store)).Claimed).Function);
        var suspect = Assert.Single((await ClaimAsync(store)).Claimed);
        Assert.Equal("a", suspect.Function);
        await store.CompleteVersionAsync(suspect.Id, new CompilationOutcome("engine", [1], null, 1, null), CancellationToken.None);
        Assert.Equal("b", Assert.Single((await ClaimAsync(store)).Claimed).Function);
        await LetSidecarsDieAsync(database);
        // Fewer attempts first.
        Assert.Equal("poison", Assert.Single((await ClaimAsync(store)).Claimed).Function);
    }

    [Fact]
    public async Task Claim_whose_answer_was_lost_is_made_again()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "f");
        await DeployAsync(database, "g");
        var sidecar = Guid.NewGuid();
        var claimed = (await store.ClaimPendingAsync(sidecar, [], 4, Lease, CancellationToken.None)).Claimed;
        var known = claimed.Single(version => version.Function == "f").Id;

        var again = await store.ClaimPendingAsync(sidecar, [known], 4, Lease, CancellationToken.None);

        Assert.Equal("g", Assert.Single(again.Claimed).Function);
        Assert.Empty((await ClaimAsync(store)).Claimed);
        Assert.Equal(2, await database.ScalarAsync<long>("select count(*) from functions_private.attempts"));
    }

    [Fact]
    public async Task Nothing_is_claimed_beside_a_suspect_version()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "suspect");
        await ClaimAsync(store);
        await LetSidecarsDieAsync(database);
        var sidecar = Guid.NewGuid();
        var suspect = Assert.Single((await store.ClaimPendingAsync(sidecar, [], 4, Lease, CancellationToken.None)).Claimed).Id;
        await DeployAsync(database, "newer");

        Assert.Empty((await store.ClaimPendingAsync(sidecar, [suspect], 3, Lease, CancellationToken.None)).Claimed);

        await store.CompleteVersionAsync(suspect, new CompilationOutcome("engine", [1], null, 1, null), CancellationToken.None);
        Assert.Equal(
            "newer",
            Assert.Single((await store.ClaimPendingAsync(sidecar, [], 4, Lease, CancellationToken.None)).Claimed).Function
        );
    }

    [Fact]
    public async Task Version_of_an_ended_sidecar_is_claimed_again_before_its_lease_expires()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "f");
        var alive = Guid.NewGuid();
        await new SidecarStore(database.Owner).HeartbeatAsync(alive, "engine", "host", null, CancellationToken.None);
        Assert.Single((await store.ClaimPendingAsync(alive, [], 4, Lease, CancellationToken.None)).Claimed);
        await database.ExecuteAsync("update functions_private.attempts set began_at = now() - interval '1 minute'");
        Assert.Empty((await ClaimAsync(store)).Claimed);

        await database.ExecuteAsync("update functions_private.sidecars set seen_at = now() - interval '16 seconds'");
        Assert.Single((await ClaimAsync(store)).Claimed);
    }

    [Fact]
    public async Task Orderly_stop_does_not_count_as_an_attempt()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "f");
        for (var i = 0; i < 5; i++)
        {
            var sidecar = Guid.NewGuid();
            Assert.Single((await store.ClaimPendingAsync(sidecar, [], 4, Lease, CancellationToken.None)).Claimed);
            await store.ReleaseAsync(sidecar, CancellationToken.None);
        }
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions_private.attempts"));
    }

    [Fact]
    public async Task Postponed_version_waits_longer_each_time_and_is_no_attempt()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "f");
        var (sidecar, longest) = (Guid.NewGuid(), TimeSpan.FromSeconds(5));
        var delays = new List<TimeSpan?>();
        for (var i = 0; i < 5; i++)
        {
            var claimed = Assert.Single((await store.ClaimPendingAsync(sidecar, [], 4, Lease, CancellationToken.None)).Claimed).Id;
            Assert.Null(await store.PostponeAsync(claimed, Guid.NewGuid(), "not mine", longest, CancellationToken.None));
            delays.Add(await store.PostponeAsync(claimed, sidecar, "the bucket is away", longest, CancellationToken.None));
            Assert.Empty((await store.ClaimPendingAsync(sidecar, [], 4, Lease, CancellationToken.None)).Claimed);
            await database.ExecuteAsync("update functions_private.versions set claimed_until = now() - interval '1 second'");
        }
        Assert.Equal([1, 2, 4, 5, 5], delays.Select(delay => delay!.Value.TotalSeconds));
        Assert.Equal(
            "pending: the bucket is away",
            await database.ScalarAsync<string>("select status || ': ' || error from functions.versions")
        );
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions_private.attempts"));
        var timeout = await Assert.ThrowsAsync<Npgsql.PostgresException>(() =>
            database.ExecuteAsync("call functions.wait_ready('f', timeout => '1 millisecond')")
        );
        Assert.Equal("the bucket is away", timeout.Hint);

        await database.ExecuteAsync("update functions_private.versions set claimed_until = now() + interval '1 day'");
        await database.ExecuteAsync("select functions.retry_version('f')");
        Assert.Single((await ClaimAsync(store)).Claimed);
        Assert.Null(await database.ScalarAsync<string>("select error from functions.versions"));
    }

    [Fact]
    public async Task Program_whose_load_ended_three_sidecars_is_not_loaded_until_retried()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await using (var first = await RegistrySidecar.StartAsync(database))
        {
            await DeployAsync(database, "f");
            await database.ExecuteAsync("call functions.wait_ready('f')");
        }
        var version = await database.VersionAsync("f");
        for (var i = 0; i < RegistryStore.MaxAttempts; i++)
        {
            Assert.Equal(i, (await store.BeginLoadAsync(version, Guid.NewGuid(), CancellationToken.None)).LostAttempts);
            Assert.Contains(version, await store.SuspectsAsync(Guid.NewGuid(), CancellationToken.None));
            await LetSidecarsDieAsync(database);
        }

        await using var sidecar = await RegistrySidecar.StartAsync(database);
        var refused = await Assert.ThrowsAsync<SidecarException>(() =>
            sidecar.Programs.AcquireAsync("f", version, CancellationToken.None).AsTask()
        );
        Assert.Equal("PGFN2424", refused.Code);
        Assert.Contains("3 times a sidecar ended while it loaded it", refused.Message);

        await database.ExecuteAsync("select functions.retry_version('f')");
        (await sidecar.Programs.AcquireAsync("f", version, CancellationToken.None)).Dispose();
        await Eventually.HoldsAsync(async () => await database.ScalarAsync<long>("select count(*) from functions_private.attempts") == 0);
    }

    [Fact]
    public async Task Successful_loads_reset_the_failed_attempts_of_a_version()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "f");
        var version = await database.VersionAsync("f");
        await store.BeginLoadAsync(version, Guid.NewGuid(), CancellationToken.None);
        await LetSidecarsDieAsync(database);
        var sidecar = Guid.NewGuid();

        Assert.Equal(1, (await store.BeginLoadAsync(version, sidecar, CancellationToken.None)).LostAttempts);
        await store.EndLoadAsync(version, sidecar, worked: false, CancellationToken.None);
        Assert.Equal(1, (await store.BeginLoadAsync(version, sidecar, CancellationToken.None)).LostAttempts);
        await store.EndLoadAsync(version, sidecar, worked: true, CancellationToken.None);
        Assert.Equal(0, (await store.BeginLoadAsync(version, sidecar, CancellationToken.None)).LostAttempts);
    }

    [Fact]
    public async Task Concurrent_loads_of_running_sidecars_do_not_count_as_failed_attempts()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "f");
        var version = await database.VersionAsync("f");
        for (var i = 0; i < 5; i++)
            Assert.Equal(0, (await store.BeginLoadAsync(version, Guid.NewGuid(), CancellationToken.None)).LostAttempts);
    }

    private static Task DeployAsync(TestDatabase database, string function) =>
        database.ExecuteAsync($"select functions.deploy('{function}', 'export const handler = () => 1')");

    private static Task<VersionClaims> ClaimAsync(RegistryStore store) =>
        store.ClaimPendingAsync(Guid.NewGuid(), [], 4, Lease, CancellationToken.None);

    /// <summary>As if the sidecars with work in progress had been killed a minute ago.</summary>
    private static Task LetSidecarsDieAsync(TestDatabase database) =>
        database.ExecuteAsync("update functions_private.attempts set began_at = began_at - interval '1 minute'");
}
