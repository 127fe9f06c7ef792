using System.Text;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Secrets;

public sealed class SecretsTests
{
    private static readonly SecretsOptions Options = new() { Key = new string('k', 32) };

    private static readonly Lazy<Task<string>> SharedKeyPair = new(MakeKeyPairAsync);

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("thirty-two bytes, to the byte....")]
    [InlineData("ünïcödé 🔑 '\\ \n\t and more than one block of the stream, which has thirty-two bytes in each of its blocks")]
    public async Task Sidecar_opens_values_sealed_by_PostgreSQL(string value)
    {
        await using var database = await CreateAsync();
        using var box = await LoadSharedAsync(database);

        await SetAsync(database, "KEY", value);

        Assert.Equal(value, box.Open("f", "KEY", await SealedAsync(database, "KEY")));
    }

    [Fact]
    public async Task The_largest_secret_is_64_KiB()
    {
        await using var database = await CreateAsync();
        using var box = await LoadSharedAsync(database);
        var largest = string.Concat(Enumerable.Range(0, 8192).Select(i => i.ToString("x8")));

        await SetAsync(database, "KEY", largest);
        Assert.Equal(largest, box.Open("f", "KEY", await SealedAsync(database, "KEY")));

        var refused = await Assert.ThrowsAsync<PostgresException>(() => SetAsync(database, "KEY", largest + "x"));
        Assert.Equal("54000", refused.SqlState);
    }

    [Fact]
    public async Task Many_secrets_set_in_a_row_all_open()
    {
        await using var database = await CreateAsync();
        using var box = await LoadSharedAsync(database);
        await database.ExecuteAsync("select functions.set_secret('f', 'K' || i, repeat(chr(64 + i), i)) from generate_series(1, 40) i");

        for (var i = 1; i <= 40; i++)
            Assert.Equal(new string((char)(64 + i), i), box.Open("f", $"K{i}", await SealedAsync(database, $"K{i}")));
    }

    [Fact]
    public async Task No_part_of_the_value_is_in_the_tables_or_the_write_ahead_log()
    {
        await using var database = await CreateAsync();
        using var box = await LoadSharedAsync(database);
        const string marker = "marker-0d1f6c2e-never-in-the-clear";
        // The tests' cluster commits asynchronously, so this commit is set to wait.
        await database.ExecuteAsync(
            $"begin; set local synchronous_commit = on; select functions.set_secret('f', 'KEY', '{marker}'); commit"
        );

        var stored = await SealedAsync(database, "KEY");
        Assert.Equal(-1, stored.AsSpan().IndexOf(Encoding.UTF8.GetBytes(marker)));
        Assert.False(await IsInLogAsync(Encoding.UTF8.GetBytes(marker)));
        // The search can find values: the sealed value is found at least once, since a page boundary of the WAL may split one of the two.
        Assert.True(await IsInLogAsync(stored[20..44]) || await IsInLogAsync(stored[200..224]));

        Task<bool> IsInLogAsync(byte[] bytes) =>
            database.ScalarAsync<bool>(
                $"""
                select coalesce(bool_or(position('\x{Convert.ToHexString(
                    bytes
                )}'::bytea in pg_read_binary_file(s.setting || '/pg_wal/' || f.name, 0, 64 << 20, true)) > 0), false)
                from pg_settings s, pg_ls_waldir() f where s.name = 'data_directory'
                """
            );
    }

    [Fact]
    public async Task Sealed_value_copied_to_another_function_does_not_open()
    {
        await using var database = await CreateAsync();
        using var box = await LoadSharedAsync(database);
        await SetAsync(database, "KEY", "value");
        var stolen = await SealedAsync(database, "KEY");

        Assert.Equal("PGFN5302", Assert.Throws<SidecarException>(() => box.Open("attacker", "KEY", stolen)).Code);
    }

    [Fact]
    public async Task Setting_a_secret_again_replaces_it_and_unsetting_removes_it()
    {
        await using var database = await CreateAsync();
        using var box = await LoadSharedAsync(database);
        await SetAsync(database, "KEY", "old");
        await SetAsync(database, "KEY", "new");

        Assert.Equal("new", box.Open("f", "KEY", await SealedAsync(database, "KEY")));
        Assert.True(await database.ScalarAsync<bool>("select functions.unset_secret('f', 'KEY')"));
        Assert.False(await database.ScalarAsync<bool>("select functions.unset_secret('f', 'KEY')"));
    }

    [Theory]
    [InlineData("select functions.set_secret('missing', 'KEY', 'v')", "42704")]
    [InlineData("select functions.set_secret('f', '1KEY', 'v')", "42602")]
    [InlineData("select functions.set_secret('f', null, 'v')", "42602")]
    [InlineData("select functions.set_secret('f', 'KEY', null)", "22004")]
    public async Task Invalid_secrets_are_refused(string sql, string sqlState)
    {
        await using var database = await CreateAsync();
        using var box = await LoadSharedAsync(database);

        Assert.Equal(sqlState, (await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync(sql))).SqlState);
    }

    [Fact]
    public async Task Sealing_fails_before_the_first_sidecar_has_created_the_key()
    {
        await using var database = await CreateAsync();

        var refused = await Assert.ThrowsAsync<PostgresException>(() => SetAsync(database, "KEY", "v"));

        Assert.Equal("55000", refused.SqlState);
        Assert.Contains("start", refused.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sidecars_that_start_at_the_same_time_share_one_key_pair()
    {
        await using var database = await CreateAsync();

        var boxes = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => LoadAsync(database, Options))));

        Assert.Single(boxes.Select(box => box.Modulus).Distinct());
    }

    [Fact]
    public async Task Changed_key_is_refused_until_the_previous_one_is_provided_once()
    {
        await using var database = await CreateAsync();
        using var first = await LoadSharedAsync(database);
        await SetAsync(database, "KEY", "value");
        var changed = new SecretsOptions { Key = new string('n', 32) };

        var refused = await Assert.ThrowsAsync<SidecarException>(() => LoadAsync(database, changed));
        Assert.Equal("PGFN5311", refused.Code);
        Assert.Contains("PGFN_SECRET_KEY_PREVIOUS", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<SidecarException>(() => LoadAsync(database, changed with { PreviousKey = new string('x', 32) }));

        using var rewrapped = await LoadAsync(database, changed with { PreviousKey = Options.Key });
        using var afterwards = await LoadAsync(database, changed);
        Assert.Equal("value", afterwards.Open("f", "KEY", await SealedAsync(database, "KEY")));
        await Assert.ThrowsAsync<SidecarException>(() => LoadAsync(database, Options));
    }

    private static async Task<TestDatabase> CreateAsync()
    {
        var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("select functions.deploy('f', 'export function handler() {}')");
        return database;
    }

    /// <summary>Generating a key pair takes a second. Tests that are not about that share one.</summary>
    private static async Task<SecretBox> LoadSharedAsync(TestDatabase database)
    {
        await new SettingsStore(database.Owner).SetAsync(
            SecretKeys.SettingName,
            await SharedKeyPair.Value,
            TestContext.Current.CancellationToken
        );
        return await LoadAsync(database, Options);
    }

    private static async Task<string> MakeKeyPairAsync()
    {
        await using var database = await TestDatabase.CreateAsync();
        using var made = await LoadAsync(database, Options);
        return (await new SettingsStore(database.Owner).GetAsync(SecretKeys.SettingName, TestContext.Current.CancellationToken))!;
    }

    private static Task<SecretBox> LoadAsync(TestDatabase database, SecretsOptions options) =>
        SecretKeys.LoadAsync(new SettingsStore(database.Owner), options, NullLogger.Instance, TestContext.Current.CancellationToken);

    private static async Task SetAsync(TestDatabase database, string key, string value)
    {
        await using var command = database.Owner.CreateCommand("select functions.set_secret('f', $1, $2)");
        command.Parameters.AddWithValue(key);
        command.Parameters.AddWithValue(value);
        await command.ExecuteNonQueryAsync();
    }

    private static Task<byte[]> SealedAsync(TestDatabase database, string key) =>
        database.ScalarAsync<byte[]>($"select sealed from functions_private.secrets where function = 'f' and key = '{key}'");
}
