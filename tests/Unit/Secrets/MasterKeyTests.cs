using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Secrets;

namespace Functions.PgSidecar.Tests.Unit.Secrets;

public sealed class MasterKeyTests : IDisposable
{
    private readonly string directory = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    public void Dispose()
    {
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public void Wrapped_value_unwraps_only_with_the_same_key()
    {
        var key = MasterKey.TryParse(new string('a', 32), out _)!;
        var wrapped = key.Wrap([1, 2, 3]);

        Assert.Equal([1, 2, 3], MasterKey.TryParse(new string('a', 32), out _)!.Unwrap(wrapped));
        Assert.Null(MasterKey.TryParse(new string('b', 32), out _)!.Unwrap(wrapped));
        for (var i = 0; i < wrapped.Length; i++)
        {
            var changed = (byte[])wrapped.Clone();
            changed[i] ^= 1;
            Assert.Null(key.Unwrap(changed));
        }

        Assert.Null(key.Unwrap(wrapped.AsSpan(0, 20)));
    }

    [Fact]
    public void Key_is_generated_once_and_only_its_owner_can_read_it()
    {
        var options = new SecretsOptions { StateDirectory = directory };

        var first = MasterKey.Load(options, out var created);
        var second = MasterKey.Load(options, out var createdAgain);

        Assert.True(created);
        Assert.False(createdAgain);
        Assert.Equal([7], second.Unwrap(first.Wrap([7])));
        Assert.Equal(["secret.key"], Directory.GetFiles(directory).Select(Path.GetFileName));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(options.KeyFile));
    }

    [Trait("Speed", "Slow")]
    [Fact]
    public async Task Processes_that_start_at_the_same_time_use_one_key()
    {
        const int processes = 4;

        // The race is between processes that all find no file. One round may miss it, hundreds do not.
        for (var round = 0; round < 300; round++)
        {
            var options = new SecretsOptions { StateDirectory = Path.Combine(directory, $"{round}") };
            using var start = new Barrier(processes);
            var loads = Enumerable
                .Range(0, processes)
                .Select(_ =>
                    Task.Factory.StartNew(
                        () =>
                        {
                            start.SignalAndWait();
                            return (Key: MasterKey.Load(options, out var created), Created: created);
                        },
                        TaskCreationOptions.LongRunning
                    )
                );

            var loaded = await Task.WhenAll(loads);

            Assert.Single(loaded, one => one.Created);
            var wrapped = loaded[0].Key.Wrap([7]);
            Assert.All(loaded, one => Assert.Equal([7], one.Key.Unwrap(wrapped)));
            Assert.Equal([7], MasterKey.Load(options, out _).Unwrap(wrapped));
            Assert.Single(Directory.GetFiles(options.StateDirectory));
        }
    }

    [Fact]
    public void Errors_for_a_short_key_or_a_missing_directory_name_the_remedy()
    {
        Assert.Contains(
            "PGFN_SECRET_KEY",
            Assert.Throws<SidecarException>(() => MasterKey.Load(new() { Key = "short" }, out _)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "PGFN_STATE_DIR",
            Assert.Throws<SidecarException>(() => MasterKey.Load(new() { StateDirectory = "/proc/none" }, out _)).Message,
            StringComparison.Ordinal
        );
    }
}
