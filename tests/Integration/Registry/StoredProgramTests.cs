using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Registry;

/// <summary>Stored programs are code. Programs that another role has written into the table are never loaded.</summary>
public sealed class StoredProgramTests
{
    /// <summary>A command that does nothing, and one that traps.</summary>
    private static readonly byte[] Quiet = Command(0x0B);

    private static readonly byte[] Trapping = Command(0x00, 0x0B);

    [Fact]
    public async Task A_module_is_compiled_once_and_loaded_by_the_next_process()
    {
        await using var database = await TestDatabase.CreateAsync();
        await DeployAsync(database, "f", Quiet);
        await using (var first = await RegistrySidecar.StartAsync(database))
            await ReadyAsync(database, "f");
        var before = await CompiledAsync(database, "f");
        await using var second = await RegistrySidecar.StartAsync(database);
        using var lease = await second.Programs.AcquireAsync("f", await database.VersionAsync("f"), CancellationToken.None);
        Assert.Equal(before, await CompiledAsync(database, "f"));
        Assert.Equal(RunOutcome.Succeeded, (await RunAsync(lease)).Outcome);
    }

    [Fact]
    public async Task Program_of_another_function_is_not_loaded()
    {
        await using var database = await TestDatabase.CreateAsync();
        await DeployAsync(database, "f", Quiet);
        await DeployAsync(database, "trap", Trapping);
        await using (var first = await RegistrySidecar.StartAsync(database))
        {
            await ReadyAsync(database, "f");
            await ReadyAsync(database, "trap");
        }
        await database.ExecuteAsync(
            "update functions_private.versions set snapshot = (select snapshot from functions_private.versions where function = 'trap') where function = 'f'"
        );
        await AssertRunsItsOwnAsync(database);
    }

    [Fact]
    public async Task Forged_program_is_not_loaded()
    {
        await using var database = await TestDatabase.CreateAsync();
        await DeployAsync(database, "f", Quiet);
        await using (var first = await RegistrySidecar.StartAsync(database))
            await ReadyAsync(database, "f");
        var (program, forged, _) = await RegistrySidecar.Modules.CompileAsync("f", Trapping, GuestLimits.Default);
        program.Dispose();
        await using (
            var forge = database.Owner.CreateCommand("update functions_private.versions set snapshot = substring(snapshot for 32) || $1")
        )
        {
            forge.Parameters.AddWithValue(forged);
            await forge.ExecuteNonQueryAsync();
        }
        await AssertRunsItsOwnAsync(database);
    }

    [Fact]
    public async Task Seal_is_valid_for_one_function_version_source_engine_and_key_only()
    {
        await using var database = await TestDatabase.CreateAsync();
        await DeployAsync(database, "f", Quiet);
        var version = (
            await new RegistryStore(database.Owner).LoadArtifactAsync(await database.VersionAsync("f"), CancellationToken.None)
        )!;
        var seal = RegistrySidecar.Seal;
        var stored = seal.Seal(version, "engine", [1, 2, 3]);
        Assert.Equal([1, 2, 3], seal.Open(version, "engine", stored).ToArray());
        VersionArtifact[] others =
        [
            version with
            {
                Function = "g",
            },
            version with
            {
                Version = 2,
            },
            version with
            {
                Language = "javascript",
            },
            version with
            {
                SourceHash = new byte[32],
            },
        ];
        foreach (var other in others)
            Assert.Throws<InvalidDataException>(() => seal.Open(other, "engine", stored));
        Assert.Throws<InvalidDataException>(() => seal.Open(version, "another", stored));
        Assert.Throws<InvalidDataException>(() => new ArtifactSeal([1]).Open(version, "engine", stored));
        Assert.Throws<InvalidDataException>(() => seal.Open(version, "engine", stored.AsMemory(0, 20)));
        stored[^1] ^= 1;
        Assert.Throws<InvalidDataException>(() => seal.Open(version, "engine", stored));
    }

    private static async Task AssertRunsItsOwnAsync(TestDatabase database)
    {
        await using var second = await RegistrySidecar.StartAsync(database);
        using var lease = await second.Programs.AcquireAsync("f", await database.VersionAsync("f"), CancellationToken.None);
        Assert.Equal(RunOutcome.Succeeded, (await RunAsync(lease)).Outcome);
        var version = (await second.Store.LoadArtifactAsync(await database.VersionAsync("f"), CancellationToken.None))!;
        RegistrySidecar.Seal.Open(version, version.Engine!, version.Snapshot);
    }

    private static async Task DeployAsync(TestDatabase database, string name, byte[] module)
    {
        await using var deploy = database.Owner.CreateCommand("select functions.deploy_wasm($1, $2)");
        deploy.Parameters.AddWithValue(name);
        deploy.Parameters.AddWithValue(module);
        await deploy.ExecuteNonQueryAsync();
    }

    private static Task ReadyAsync(TestDatabase database, string name) => database.ExecuteAsync($"call functions.wait_ready('{name}')");

    /// <summary>The version of the row, which any write changes.</summary>
    private static async Task<string> CompiledAsync(TestDatabase database, string name)
    {
        await using var command = database.Owner.CreateCommand("select xmin::text from functions_private.versions where function = $1");
        command.Parameters.AddWithValue(name);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    private static Task<RunResult> RunAsync(ProgramLease lease)
    {
        var envelope = """{"kind":"event","event":{},"env":{}}"""u8.ToArray();
        return lease
            .Program.RunAsync(
                new RunRequest(envelope, default, GuestLimits.Default with { Timeout = TimeSpan.FromMinutes(1) }),
                new NoHost(),
                CancellationToken.None
            )
            .WaitAsync(TimeSpan.FromMinutes(2));
    }

    /// <summary>A module that exports a function <c>_start</c> with this code.</summary>
    private static byte[] Command(params byte[] code) =>
        [
            0x00,
            0x61,
            0x73,
            0x6D,
            1,
            0,
            0,
            0,
            1,
            4,
            1,
            0x60,
            0,
            0,
            3,
            2,
            1,
            0,
            7,
            10,
            1,
            6,
            .. "_start"u8,
            0,
            0,
            10,
            (byte)(code.Length + 3),
            1,
            (byte)(code.Length + 1),
            0,
            .. code,
        ];

    private sealed class NoHost : IGuestHost
    {
        public void Start(GuestOperation operation) => operation.Fail("TypeError", "There is nothing here.");

        public void Log(GuestLogLevel level, string message) { }

        public void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows) { }
    }
}
