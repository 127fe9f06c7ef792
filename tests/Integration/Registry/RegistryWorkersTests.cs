using System.Text;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Registry;

/// <summary>Catalog, cache and workers on a real database: each deploy becomes callable and is compiled once, despite failures.</summary>
public sealed class RegistryWorkersTests
{
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Deploy_and_each_later_change_are_noticed_and_compiled()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await RegistrySidecar.StartAsync(database);
        Assert.Null(await sidecar.Catalog.FindAsync("f", CancellationToken.None));
        await DeployAsync(database, "f", 1);
        await UntilVersionAsync(sidecar, "f", 1);
        await DeployAsync(database, "f", 2);
        await UntilVersionAsync(sidecar, "f", 2);
        await database.ExecuteAsync("select functions.rollback('f')");
        await UntilVersionAsync(sidecar, "f", 1);
        await database.ExecuteAsync("select functions.disable('f')");
        await UntilVersionAsync(sidecar, "f", null);
        await Eventually.HoldsAsync(() => Task.FromResult(sidecar.Compiled.Count >= 2));
        Assert.Equal([("f", 1), ("f", 2)], sidecar.Compiled);
    }

    [Fact]
    public async Task A_name_that_is_dropped_and_deployed_again_runs_the_new_code_on_every_sidecar()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var one = await RegistrySidecar.StartAsync(database);
        await using var other = await RegistrySidecar.StartAsync(database);
        await DeployAsync(database, "f", 1);
        foreach (var sidecar in new[] { one, other })
        {
            await UntilVersionAsync(sidecar, "f", 1);
            Assert.Equal(RunOutcome.Succeeded, await CallAsync(sidecar));
        }

        await database.ExecuteAsync(
            """
            begin; select functions.drop('f'); select functions.deploy('f', 'export const handler = () => { throw new Error("new"); };'); commit
            """
        );

        foreach (var sidecar in new[] { one, other })
            await Eventually.HoldsAsync(async () => await CallAsync(sidecar) is RunOutcome.Threw);

        static async Task<RunOutcome?> CallAsync(RegistrySidecar sidecar)
        {
            // Neither the old one nor the new one while it is being compiled.
            if (await sidecar.Catalog.FindAsync("f", CancellationToken.None) is not { } function)
                return null;
            try
            {
                using var lease = await sidecar.Programs.AcquireAsync(function.Name, function.VersionId, CancellationToken.None);
                return await RunAsync(lease.Program);
            }
            catch (SidecarException e) when (e.Code == "FUNCTION_NOT_FOUND")
            {
                return null;
            }
        }
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Sidecar_without_notifications_polls()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var nowhere = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Timeout=1;Username=nobody");
        await using var sidecar = await RegistrySidecar.StartAsync(database, listening: nowhere);
        await DeployAsync(database, "f", 1);
        await UntilVersionAsync(sidecar, "f", 1);
        await DeployAsync(database, "f", 2);
        await UntilVersionAsync(sidecar, "f", 2);
    }

    [Fact]
    public async Task Two_sidecars_compile_each_version_once()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var one = await RegistrySidecar.StartAsync(database);
        await using var other = await RegistrySidecar.StartAsync(database);
        var names = Enumerable.Range(0, 16).Select(i => $"f{i}").ToList();
        await Task.WhenAll(names.Select(name => DeployAsync(database, name, 1)));
        foreach (var name in names)
        {
            await UntilVersionAsync(one, name, 1);
            await UntilVersionAsync(other, name, 1);
            (await one.Programs.AcquireAsync(name, await database.VersionAsync(name), CancellationToken.None)).Dispose();
            (await other.Programs.AcquireAsync(name, await database.VersionAsync(name), CancellationToken.None)).Dispose();
        }
        await Eventually.HoldsAsync(() => Task.FromResult(one.Compiled.Count + other.Compiled.Count >= names.Count));
        Assert.Equal(names.Order(), one.Compiled.Concat(other.Compiled).Select(version => version.Function).Order());
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Slow_version_does_not_delay_the_others()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await RegistrySidecar.StartAsync(database);
        await database.ExecuteAsync(
            "select functions.deploy('slow', 'for (;;); export const handler = () => 1', options => '{\"timeout_ms\": 20000}')"
        );
        await Eventually.HoldsAsync(() =>
            database.ScalarAsync<bool>("select claimed_by is not null from functions_private.versions where function = 'slow'")
        );

        await DeployAsync(database, "quick", 1);
        await UntilVersionAsync(sidecar, "quick", 1);

        Assert.Equal("pending", await database.ScalarAsync<string>("select status from functions.versions where function = 'slow'"));
    }

    [Fact]
    public async Task Version_of_a_dead_sidecar_is_compiled_by_another_after_its_lease_expires()
    {
        await using var database = await TestDatabase.CreateAsync();
        await DeployAsync(database, "f", 1);
        var store = new RegistryStore(database.Owner);
        Assert.Single((await store.ClaimPendingAsync(Guid.NewGuid(), [], 4, TimeSpan.FromHours(1), CancellationToken.None)).Claimed);
        await using var sidecar = await RegistrySidecar.StartAsync(database);
        // Deployed later and ready: the previous version was left to its owner.
        await DeployAsync(database, "later", 1);
        await UntilVersionAsync(sidecar, "later", 1);
        // It is reported after it has been stored.
        await Eventually.HoldsAsync(() => Task.FromResult(!sidecar.Compiled.IsEmpty));
        Assert.Equal([("later", 1)], sidecar.Compiled);
        await database.ExecuteAsync("update functions_private.versions set claimed_until = now() - interval '1 s' where function = 'f'");
        sidecar.Compilation.Wake();
        await UntilVersionAsync(sidecar, "f", 1);
    }

    [Fact]
    public async Task Full_cache_evicts_the_least_used_and_keeps_running_programs()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await RegistrySidecar.StartAsync(database, cacheBytes: 1);
        foreach (var name in new[] { "a", "b", "c" })
        {
            await DeployAsync(database, name, 1);
            await UntilVersionAsync(sidecar, name, 1);
        }
        var used = await sidecar.Programs.AcquireAsync("a", await database.VersionAsync("a"), CancellationToken.None);
        (await sidecar.Programs.AcquireAsync("b", await database.VersionAsync("b"), CancellationToken.None)).Dispose();
        (await sidecar.Programs.AcquireAsync("c", await database.VersionAsync("c"), CancellationToken.None)).Dispose();
        Assert.Equal(RunOutcome.Succeeded, await RunAsync(used.Program));
        var evicted = used.Program;
        used.Dispose();
        Assert.Equal(RunOutcome.HostError, await RunAsync(evicted));
        using var again = await sidecar.Programs.AcquireAsync("a", await database.VersionAsync("a"), CancellationToken.None);
        Assert.NotSame(evicted, again.Program);
        Assert.Equal(RunOutcome.Succeeded, await RunAsync(again.Program));
    }

    [Theory]
    [InlineData("set snapshot = set_byte(snapshot, length(snapshot) / 2, get_byte(snapshot, length(snapshot) / 2) # 16)")]
    [InlineData("set snapshot = substring(snapshot for 100)")]
    [InlineData("set engine = repeat('0', 64)")]
    public async Task Unusable_stored_program_is_compiled_and_stored_again(string damage)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using (var first = await RegistrySidecar.StartAsync(database))
        {
            await DeployAsync(database, "f", 1);
            await UntilVersionAsync(first, "f", 1);
        }
        await database.ExecuteAsync("update functions_private.versions " + damage);
        await using (var second = await RegistrySidecar.StartAsync(database))
        {
            using var lease = await second.Programs.AcquireAsync("f", await database.VersionAsync("f"), CancellationToken.None);
            Assert.Equal(RunOutcome.Succeeded, await RunAsync(lease.Program));
        }
        var stored = (await new RegistryStore(database.Owner).LoadArtifactAsync(await database.VersionAsync("f"), CancellationToken.None))!;
        Assert.Equal(RegistrySidecar.Engine.EngineId, stored.Engine);
        RegistrySidecar.Engine.Read(RegistrySidecar.Seal.Open(stored, stored.Engine!, stored.Snapshot)).Dispose();
    }

    [Fact]
    public async Task Missing_version_gives_404_not_a_failure()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var sidecar = await RegistrySidecar.StartAsync(database);
        var error = await Assert.ThrowsAsync<SidecarException>(async () =>
            await sidecar.Programs.AcquireAsync("gone", Guid.NewGuid(), CancellationToken.None)
        );
        Assert.Equal(("FUNCTION_NOT_FOUND", 404), (error.Code, error.Status));
    }

    private static Task DeployAsync(TestDatabase database, string name, int version) =>
        database.ExecuteAsync($"select functions.deploy('{name}', 'export const handler = () => ({{ version: {version} }});')");

    private static async Task<RunOutcome> RunAsync(IProgram program)
    {
        var envelope =
            """{"kind":"event","trigger":"test","path":"","query":{},"user_id":null,"request_id":"r","event":{},"env":{},"now":0}""";
        var request = new RunRequest(Encoding.UTF8.GetBytes(envelope), default, GuestLimits.Default with { Timeout = WaitTimeout });
        return (await program.RunAsync(request, new NoHost(), CancellationToken.None).WaitAsync(WaitTimeout)).Outcome;
    }

    private static Task UntilVersionAsync(RegistrySidecar sidecar, string name, int? version) =>
        Eventually.HoldsAsync(async () => (await sidecar.Catalog.FindAsync(name, CancellationToken.None))?.Version == version);

    private sealed class NoHost : IGuestHost
    {
        public void Start(GuestOperation operation) => operation.Fail("TypeError", "There is nothing here.");

        public void Log(GuestLogLevel level, string message) { }

        public void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows) { }
    }
}
