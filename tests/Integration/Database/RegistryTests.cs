using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Registry;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

public sealed class RegistryTests
{
    private const string Source = "export const handler = () => 1";

    [Fact]
    public async Task Deploy_makes_a_pending_version_that_completion_activates()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);

        Assert.Equal(
            1,
            await DeployAsync(database, "hello", """{"timeout_ms": 2000, "env": {"A": "1", "B": "1"}, "allow_hosts": ["a.example"]}""")
        );
        await database.ExecuteAsync(
            """
            select functions.set_env('hello', 'B', '2'); select functions.allow_host('hello', '*.Example.com');
            insert into functions_private.secrets (function, key, sealed) values ('hello', 'S', '\x0102')
            """
        );
        Assert.Null((await store.LoadAsync("hello", CancellationToken.None))!.Version);
        Assert.True(await CompleteAsync(database, "hello", 1, Compiled()));

        var function = (await store.LoadAsync("hello", CancellationToken.None))!;
        Assert.Equal(
            (true, 1, TimeSpan.FromSeconds(2), 128),
            (function.Enabled, function.Version, function.Options.Timeout, function.Options.MemoryMb)
        );
        Assert.Equal([("A", "1"), ("B", "2")], function.Environment.OrderBy(pair => pair.Key).Select(pair => (pair.Key, pair.Value)));
        Assert.Equal([1, 2], function.Secrets["S"]);
        Assert.Equal(["*.example.com", "a.example"], function.Hosts.Order());

        var artifact = (await store.LoadArtifactAsync(await database.VersionAsync("hello"), CancellationToken.None))!;
        Assert.Equal((Source, "engine-1"), (artifact.Source, artifact.Engine));
        Assert.Equal([7, 8, 9], artifact.Snapshot);
        Assert.Equal(["hello"], (await store.LoadAllAsync(CancellationToken.None)).Select(definition => definition.Name));
        Assert.Null(await store.LoadAsync("nobody", CancellationToken.None));
    }

    [Fact]
    public async Task Snapshots_of_old_versions_are_dropped_but_never_the_active_ones()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        for (var version = 1; version <= 7; version++)
        {
            await DeployAsync(database, "f");
            await CompleteAsync(database, "f", version, Compiled());
        }
        Assert.Equal("3,4,5,6,7", await WithSnapshotAsync(database));

        await database.ExecuteAsync("select functions.rollback('f', 1)");
        await CompleteAsync(database, "f", 1, Compiled());
        await DeployAsync(database, "f", """{"timeout_ms": 3000}""");
        await CompleteAsync(database, "f", 8, Failed("no"));
        Assert.Equal("1,3,4,5,6,7", await WithSnapshotAsync(database));
    }

    [Fact]
    public async Task Late_completion_for_a_dropped_function_does_not_affect_its_successor()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "f");
        var dropped = Assert.Single(
            (await store.ClaimPendingAsync(Guid.NewGuid(), [], 1, TimeSpan.FromMinutes(1), CancellationToken.None)).Claimed
        );
        await database.ExecuteAsync("select functions.drop('f'); select functions.deploy('f', 'export const handler = () => 2')");

        Assert.False(await store.CompleteVersionAsync(dropped.Id, Compiled(), CancellationToken.None));

        Assert.Null(await store.LoadArtifactAsync(dropped.Id, CancellationToken.None));
        Assert.Equal(
            "pending",
            await database.ScalarAsync<string>("select status from functions.versions where function = 'f' and version = 1")
        );
        var deployed = Assert.Single(
            (await store.ClaimPendingAsync(Guid.NewGuid(), [], 1, TimeSpan.FromMinutes(1), CancellationToken.None)).Claimed
        );
        Assert.Equal((1, "export const handler = () => 2"), (deployed.Version, deployed.Source));
        Assert.NotEqual(dropped.Id, deployed.Id);
    }

    private static async Task<bool> CompleteAsync(TestDatabase database, string function, int version, CompilationOutcome outcome) =>
        await new RegistryStore(database.Owner).CompleteVersionAsync(
            await database.VersionAsync(function, version),
            outcome,
            CancellationToken.None
        );

    private static Task<string> WithSnapshotAsync(TestDatabase database) =>
        database.ScalarAsync<string>(
            "select string_agg(version::text, ',' order by version) from functions_private.versions where snapshot is not null"
        );

    [Fact]
    public async Task Options_are_kept_until_they_are_set_again_or_to_null()
    {
        await using var database = await TestDatabase.CreateAsync();
        await DeployAsync(database, "f", """{"timeout_ms": 2000, "memory_mb": 64}""");
        await DeployAsync(database, "f", """{"memory_mb": null, "retries": 3}""");
        await DeployAsync(database, "f", "{}");

        Assert.Equal(
            """{"retries": 3, "timeout_ms": 2000}""",
            await database.ScalarAsync<string>("select options::text from functions.versions where version = 3")
        );
    }

    [Theory]
    [InlineData("""{"timeout_ms": 999}""", "option timeout_ms must be a whole number from 1000 to 300000, not 999")]
    [InlineData("""{"memory_mb": "64"}""", "option memory_mb must be a whole number from 16 to 512, not \"64\"")]
    [InlineData("""{"memory_mb": 64.5}""", "option memory_mb must be a whole number from 16 to 512, not 64.5")]
    [InlineData("""{"verify_jwt": "no"}""", "option verify_jwt must be true or false, not \"no\"")]
    [InlineData("""{"role": "postgres"}""", "option role: functions may not run as \"postgres\"")]
    [InlineData("""{"allow_hosts": ["https://x.example/"]}""", "\"https://x.example/\" is not a host pattern")]
    [InlineData("""{"env": {"A": 1}}""", "option env: \"A\" must be a variable's name (letters, digits, _) with a string for its value")]
    [InlineData("""{"bindings": []}""", "option bindings must be an object, not []")]
    [InlineData(
        """{"bindings": {"a-b": {"queue": "q"}}}""",
        "option bindings: \"a-b\" is not a name for a member of env (letters, digits, _)"
    )]
    [InlineData(
        """{"bindings": {"__proto__": {"queue": "q"}}}""",
        "option bindings: \"__proto__\" is not a name for a member of env (letters, digits, _)"
    )]
    [InlineData("""{"bindings": {"DB": {"database": "default"}}}""", "option bindings: \"DB\" is one that every function has")]
    [InlineData("""{"bindings": {"A": "q"}}""", "option bindings: \"A\" must be an object with one member, not \"q\"")]
    [InlineData("""{"bindings": {"A": {"topic": "q"}}}""", "option bindings: there is no kind \"topic\"")]
    [InlineData("""{"bindings": {"A": {"queue": "Q"}}}""", "option bindings: \"Q\" is not the name of a queue")]
    [InlineData("""{"bindings": {"A": {"database": "other"}}}""", "option bindings: \"other\" is not the name of a database")]
    [InlineData("""{"handler": "a.b"}""", "option handler must be the name of an exported function, not \"a.b\"")]
    [InlineData("""{"timeout": 1}""", "unknown option \"timeout\"")]
    [InlineData("[]", "options must be a JSON object, not array")]
    public async Task Error_for_a_wrong_option_names_the_allowed_values(string options, string message)
    {
        await using var database = await TestDatabase.CreateAsync();
        var exception = await Assert.ThrowsAsync<PostgresException>(() => DeployAsync(database, "f", options));
        Assert.Equal(message, exception.MessageText);
    }

    [Theory]
    [InlineData("'Hello', 'x'", "\"Hello\" is not a function name")]
    [InlineData("'f', ' '", "source is empty")]
    [InlineData("'f', 'x', 'cobol'", "language must be 'javascript', not 'cobol'")]
    [InlineData("null, 'x'", "null is not a function name")]
    public async Task Deploy_refuses_what_it_cannot_store(string arguments, string message)
    {
        await using var database = await TestDatabase.CreateAsync();
        var exception = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"select functions.deploy({arguments})"));
        Assert.Equal(message, exception.MessageText);
    }

    [Fact]
    public async Task Older_version_that_is_ready_late_does_not_replace_a_newer_one()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "f");
        await DeployAsync(database, "f");

        Assert.True(await CompleteAsync(database, "f", 2, Compiled()));
        Assert.False(await CompleteAsync(database, "f", 1, Compiled()));
        Assert.Equal(2, (await store.LoadAsync("f", CancellationToken.None))!.Version);
    }

    [Fact]
    public async Task Version_that_does_not_compile_leaves_the_previous_one_active()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        await DeployAsync(database, "f");
        await CompleteAsync(database, "f", 1, Compiled());
        await DeployAsync(database, "f");

        Assert.False(await CompleteAsync(database, "f", 2, Failed("unexpected token\0\ud800")));
        Assert.Equal(1, (await store.LoadAsync("f", CancellationToken.None))!.Version);
        Assert.Equal(
            "unexpected token\ufffd\ufffd",
            await database.ScalarAsync<string>("select error from functions.versions where version = 2")
        );
    }

    [Fact]
    public async Task Rollback_suspends_newer_versions_until_the_next_deploy()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        foreach (var version in (int[])[1, 2])
        {
            await DeployAsync(database, "f");
            await CompleteAsync(database, "f", version, Compiled());
        }
        await DeployAsync(database, "f"); // 3, still compiling

        Assert.Equal(1, await database.ScalarAsync<int>("select functions.rollback('f')"));
        Assert.False(await CompleteAsync(database, "f", 3, Compiled()));
        Assert.Equal(1, (await store.LoadAsync("f", CancellationToken.None))!.Version);
        var none = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync("select functions.rollback('f')"));
        Assert.Equal("Function \"f\" has no earlier version to roll back to.", none.MessageText);

        Assert.Equal(3, await database.ScalarAsync<int>("select functions.rollback('f', 3)"));
        await DeployAsync(database, "f");
        Assert.True(await CompleteAsync(database, "f", 4, Compiled()));
    }

    [Fact]
    public async Task Claim_gives_each_pending_version_to_one_sidecar_until_its_lease_ends()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new RegistryStore(database.Owner);
        foreach (var name in (string[])["a", "b", "c"])
            await DeployAsync(database, name);

        var claims = await Task.WhenAll(
            Enumerable
                .Range(0, 4)
                .Select(_ => store.ClaimPendingAsync(Guid.NewGuid(), [], 2, TimeSpan.FromMinutes(1), CancellationToken.None))
        );
        var claimed = claims.SelectMany(claim => claim.Claimed).Select(artifact => artifact.Function).ToList();

        Assert.Equal(claimed.Distinct().Count(), claimed.Count);
        var rest = await store.ClaimPendingAsync(Guid.NewGuid(), [], 10, TimeSpan.Zero, CancellationToken.None);
        Assert.Equal(["a", "b", "c"], claimed.Concat(rest.Claimed.Select(artifact => artifact.Function)).Order());

        await database.ExecuteAsync("update functions_private.versions set claimed_until = now() - interval '1 second'");
        for (var i = 0; i < 3; i++)
            Assert.Single((await store.ClaimPendingAsync(Guid.NewGuid(), [], 10, TimeSpan.FromMinutes(1), CancellationToken.None)).Claimed);
        Assert.Empty((await store.ClaimPendingAsync(Guid.NewGuid(), [], 10, TimeSpan.FromMinutes(1), CancellationToken.None)).Claimed);
    }

    [Fact]
    public async Task Wait_ready_returns_when_the_version_is_ready()
    {
        await using var database = await TestDatabase.CreateAsync();
        await DeployAsync(database, "f");

        var waiting = database.ExecuteAsync("call functions.wait_ready('f')");
        await CompleteAsync(database, "f", 1, Compiled());

        await waiting;
    }

    [Fact]
    public async Task Wait_ready_raises_the_compile_error_with_its_position()
    {
        await using var database = await TestDatabase.CreateAsync();
        await DeployAsync(database, "f");
        await CompleteAsync(database, "f", 1, Failed("SyntaxError: unexpected token"));

        var exception = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync("call functions.wait_ready('f')"));

        Assert.Equal(("42601", "f.js:3:7: SyntaxError: unexpected token"), (exception.SqlState, exception.MessageText));
    }

    [Fact]
    public async Task Wait_ready_reports_a_missing_sidecar_function_or_commit()
    {
        await using var database = await TestDatabase.CreateAsync();
        await DeployAsync(database, "f");

        var timeout = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync("call functions.wait_ready('f', timeout => '20 ms')")
        );
        await new SidecarStore(database.Owner).HeartbeatAsync(Guid.NewGuid(), "e", "h", null, CancellationToken.None);
        var busy = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync("call functions.wait_ready('f', timeout => '20 ms')")
        );
        var unknown = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync("call functions.wait_ready('g')"));
        var uncommitted = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync("begin; select functions.deploy('f', 'x'); call functions.wait_ready('f'); commit")
        );

        Assert.StartsWith("No sidecar serves", timeout.Hint);
        Assert.StartsWith("A sidecar is running", busy.Hint);
        Assert.Equal("42704", unknown.SqlState);
        Assert.Equal("Version 2 of f is not committed yet; a sidecar compiles what is committed.", uncommitted.MessageText);
    }

    [Fact]
    public async Task Every_change_notifies_the_sidecars_of_the_functions_name()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var listener = await database.Owner.OpenConnectionAsync();
        var heard = new List<string>();
        listener.Notification += (_, notification) => heard.Add(notification.Payload);
        await using (var listen = new NpgsqlCommand("listen functions_changed", listener))
            await listen.ExecuteNonQueryAsync();

        foreach (
            var change in (string[])
                [
                    "deploy('f', 'x')",
                    "set_env('f', 'A', 'b')",
                    "unset_env('f', 'A')",
                    "allow_host('f', 'x.example')",
                    "deny_host('f', 'x.example')",
                    "disable('f')",
                    "enable('f')",
                    "drop('f')",
                ]
        )
        {
            heard.Clear();
            await database.ExecuteAsync($"select functions.{change}");
            await using var probe = new NpgsqlCommand("select 1", listener);
            await probe.ExecuteNonQueryAsync();
            Assert.Equal(["f"], heard.Distinct());
        }
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions.versions"));
    }

    [Fact]
    public async Task Listener_receives_changes_and_reconnects_after_a_lost_connection()
    {
        await using var database = await TestDatabase.CreateAsync();
        var connections = System.Threading.Channels.Channel.CreateUnbounded<bool>();
        var changes = System.Threading.Channels.Channel.CreateUnbounded<string>();
        using var stop = new CancellationTokenSource();
        var listener = new NotificationListener(
            database.Owner,
            ["functions_changed"],
            Microsoft.Extensions.Logging.Abstractions.NullLogger<NotificationListener>.Instance,
            TimeProvider.System
        );
        var running = listener.RunAsync((_, name) => changes.Writer.TryWrite(name), up => connections.Writer.TryWrite(up), stop.Token);

        Assert.True(await connections.Reader.ReadAsync());
        await DeployAsync(database, "f");
        Assert.Equal("f", await changes.Reader.ReadAsync());

        await database.ExecuteAsync(
            "select pg_terminate_backend(pid) from pg_stat_activity where query = 'listen functions_changed' and datname = current_database()"
        );
        Assert.False(await connections.Reader.ReadAsync());
        Assert.True(await connections.Reader.ReadAsync());
        await DeployAsync(database, "g");
        Assert.Equal("g", await changes.Reader.ReadAsync());

        await stop.CancelAsync();
        await running;
        Assert.False(await connections.Reader.ReadAsync());
    }

    [Fact]
    public async Task Shared_setting_is_generated_once()
    {
        await using var database = await TestDatabase.CreateAsync();
        var settings = new SettingsStore(database.Owner);
        var values = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(i => settings.GetOrAddAsync("key", $"value {i}", CancellationToken.None))
        );

        Assert.Single(values.Distinct());
        Assert.Equal(values[0], await settings.GetAsync("key", CancellationToken.None));
        await settings.SetAsync("key", "new", CancellationToken.None);
        Assert.Equal("new", await settings.GetOrAddAsync("key", "other", CancellationToken.None));
    }

    internal static CompilationOutcome Compiled() => new("engine-1", [7, 8, 9], """{"exports":["handler"]}""", 12, null);

    private static CompilationOutcome Failed(string message) =>
        new("engine-1", null, null, 12, new CompilationError(message, "f.js", 3, 7, "stack"));

    private static async Task<int> DeployAsync(TestDatabase database, string name, string options = "{}")
    {
        await using var command = database.Owner.CreateCommand("select functions.deploy($1, $2, options => $3)");
        command.Parameters.AddWithValue(name);
        command.Parameters.AddWithValue(Source);
        command.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Jsonb, options);
        return (int)(await command.ExecuteScalarAsync())!;
    }
}
