using System.Text;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Registry;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Code;

/// <summary>The code of functions is in the table of versions, in a bucket, or in both, and never lost or exchanged on the way.</summary>
public sealed class CodeStorageTests : IAsyncLifetime
{
    /// <summary>More than what an object has in its row, so that it is chunks.</summary>
    private static readonly string Padding = new('x', 100_000);

    private TestDatabase database = null!;
    private RegistrySidecar sidecar = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("""select functions.create_bucket('code', '{"code": true}')""");
        sidecar = await RegistrySidecar.StartAsync(database);
    }

    public async ValueTask DisposeAsync()
    {
        await sidecar.DisposeAsync();
        await database.DisposeAsync();
    }

    [Fact]
    public async Task Code_is_moved_to_the_bucket_and_back_and_compiled_from_wherever_it_is()
    {
        await SetAsync("""{"bucket": "code"}""");
        await DeployAsync("f", Source(1));
        await DeployAsync("large", Source(2) + $"// {Padding}");
        Assert.Equal("table table", await PlacesAsync());

        Assert.Equal(2, await database.ScalarAsync<long>("select functions.migrate_code('bucket')"));
        await MoveAllAsync();
        Assert.Equal("bucket bucket", await PlacesAsync());
        Assert.Equal(0, await database.ScalarAsync<long>("select count(source) from functions_private.versions"));
        Assert.Equal(Source(1), await database.ScalarAsync<string>("select functions.source('f')"));
        Assert.Equal(Source(2) + $"// {Padding}", await database.ScalarAsync<string>("select functions.source('large')"));
        Assert.Equal(2, await database.ScalarAsync<long>("select count(*) from functions.versions where source_bytes > 0"));
        await RunsWithoutStoredProgramAsync("f");
        await RunsWithoutStoredProgramAsync("large");

        Assert.Equal(1, await database.ScalarAsync<long>("""select functions.migrate_code('both', '{"function": "f"}')"""));
        await MoveAllAsync();
        Assert.Equal("both bucket", await PlacesAsync());
        Assert.Equal(2, await database.ScalarAsync<long>("select functions.migrate_code('table')"));
        await MoveAllAsync();
        Assert.Equal("table table", await PlacesAsync());
        Assert.Equal(0, await ObjectsAsync());
        await RunsWithoutStoredProgramAsync("large");
        Assert.Equal(0, await database.ScalarAsync<long>("select functions.migrate_code('table')"));
    }

    [Fact]
    public async Task New_versions_go_where_the_setting_says_once_they_are_compiled()
    {
        await SetAsync("""{"bucket": "code", "prefer": "bucket", "write": "bucket"}""");
        await DeployAsync("f", Source(1));
        Assert.Equal("bucket", await database.ScalarAsync<string>("select code_move from functions.versions"));
        await MoveAllAsync();
        Assert.Equal("bucket", await PlacesAsync());
        await RunsWithoutStoredProgramAsync("f");
        await DeployAsync("f", Source(2));
        await SetAsync("""{"bucket": "code"}""");
        await database.ExecuteAsync("select functions.rollback('f', 1)");
        await RunsWithoutStoredProgramAsync("f");
    }

    [Fact]
    public async Task With_write_both_a_new_version_is_usable_from_either_place()
    {
        await SetAsync("""{"bucket": "code", "prefer": "bucket", "write": "both"}""");
        await DeployAsync("f", Source(1));
        await MoveAllAsync();
        Assert.Equal("both", await PlacesAsync());
        Assert.Equal(1, await ObjectsAsync());
        Assert.Equal(Source(1), await database.ScalarAsync<string>("select source from functions_private.versions"));

        await AttackAsync("delete from functions_private.objects where $1 is not null");
        await RunsWithoutStoredProgramAsync("f");
        await database.ExecuteAsync("select functions.migrate_code('both')");
        await MoveAllAsync();
        Assert.Equal(1, await ObjectsAsync());
        await database.ExecuteAsync("update functions_private.versions set source = 'export const handler = () => ''evil'''");
        await RunsWithoutStoredProgramAsync("f");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(300_000)]
    public async Task Module_is_moved_to_the_bucket_and_back_and_compiled_from_there(int padding)
    {
        var module = Module(padding);
        await SetAsync("""{"bucket": "code", "prefer": "bucket", "write": "bucket"}""");
        await using (var deploy = database.Owner.CreateCommand("select functions.deploy_wasm('f', $1)"))
        {
            deploy.Parameters.AddWithValue(module);
            await deploy.ExecuteNonQueryAsync();
        }
        await database.ExecuteAsync("call functions.wait_ready('f', timeout => '2 minutes')");
        await MoveAllAsync();
        Assert.Equal("bucket", await PlacesAsync());
        Assert.Equal(0, await database.ScalarAsync<long>("select count(module) from functions_private.versions"));
        Assert.Equal(module.Length, await database.ScalarAsync<long>("select source_bytes from functions.versions"));
        Assert.EndsWith(".wasm", await database.ScalarAsync<string>("select code_key from functions_private.versions"));
        await RunsWithoutStoredProgramAsync("f");

        await database.ExecuteAsync("select functions.migrate_code('table')");
        await MoveAllAsync();
        Assert.Equal("table", await PlacesAsync());
        Assert.Equal(module, await database.ScalarAsync<byte[]>("select module from functions_private.versions"));
        Assert.Equal(0, await ObjectsAsync());
        await RunsWithoutStoredProgramAsync("f");
        await database.ExecuteAsync("select functions.migrate_code('bucket')");
        await MoveAllAsync();
        await AttackAsync("delete from functions_private.objects where $1 is not null");
        Assert.Equal("PGFN2425", (await Assert.ThrowsAsync<SidecarException>(() => RunsWithoutStoredProgramAsync("f"))).Code);
    }

    [Fact]
    public async Task With_auto_migrate_a_version_that_is_loaded_is_copied_to_the_preferred_place()
    {
        await DeployAsync("f", Source(1));
        await SetAsync("""{"bucket": "code", "prefer": "bucket", "auto_migrate": true}""");
        await RunsWithoutStoredProgramAsync("f");
        await MoveAllAsync();
        Assert.Equal("both", await PlacesAsync());
        await database.ExecuteAsync("select functions.migrate_code('bucket')");
        await MoveAllAsync();
        await SetAsync("""{"bucket": "code", "prefer": "table", "auto_migrate": true}""");
        await RunsWithoutStoredProgramAsync("f");
        await MoveAllAsync();
        Assert.Equal("both", await PlacesAsync());
    }

    [Theory]
    [InlineData("update functions_private.objects set data = $1")]
    [InlineData("update functions_private.objects set data = $1, size = length($1)")]
    [InlineData("delete from functions_private.objects where $1 is not null")]
    public async Task Object_that_is_missing_or_was_exchanged_is_never_compiled(string attack)
    {
        await SetAsync("""{"bucket": "code", "prefer": "bucket"}""");
        await DeployAsync("f", Source(1));
        await database.ExecuteAsync("select functions.migrate_code('bucket')");
        await MoveAllAsync();
        await AttackAsync(attack);

        var refused = await Assert.ThrowsAsync<SidecarException>(() => RunsWithoutStoredProgramAsync("f"));
        Assert.Equal(("PGFN2425", 500), (refused.Code, refused.Status));
        Assert.NotNull(await database.ScalarAsync<string>("select code_error from functions.versions"));
        // Nor does a move spread it.
        await database.ExecuteAsync("select functions.migrate_code('table')");
        Assert.True(await sidecar.Mover.MoveNextAsync(CancellationToken.None));
        Assert.Equal("bucket", await PlacesAsync());
    }

    [Fact]
    public async Task Copy_that_is_wrong_is_passed_over_and_made_again_from_the_other_one()
    {
        await SetAsync("""{"bucket": "code", "prefer": "bucket"}""");
        await DeployAsync("f", Source(1));
        await database.ExecuteAsync("select functions.migrate_code('both')");
        await MoveAllAsync();
        await AttackAsync("update functions_private.objects set data = $1, size = length($1)");
        await RunsWithoutStoredProgramAsync("f");
        Assert.Contains("bytes instead of", await database.ScalarAsync<string>("select code_error from functions.versions"));
        Assert.Equal(1, await database.ScalarAsync<long>("select functions.migrate_code('both')"));
        await MoveAllAsync();
        Assert.Null(await database.ScalarAsync<string>("select code_error from functions.versions"));
        Assert.Equal(1, await ObjectsAsync());

        await database.ExecuteAsync("update functions_private.versions set source = 'export const handler = () => ''evil'''");
        await SetAsync("""{"bucket": "code", "prefer": "table", "auto_migrate": true}""");
        await RunsWithoutStoredProgramAsync("f");
        await database.ExecuteAsync("update functions_private.versions set code_claimed_until = null");
        await MoveAllAsync();
        Assert.Equal(Source(1), await database.ScalarAsync<string>("select source from functions_private.versions"));
    }

    [Fact]
    public async Task Code_that_was_exchanged_in_the_table_is_not_compiled()
    {
        await DeployAsync("f", Source(1));
        await database.ExecuteAsync("update functions_private.versions set source = 'export const handler = () => ''evil'''");
        Assert.Equal("PGFN2425", (await Assert.ThrowsAsync<SidecarException>(() => RunsWithoutStoredProgramAsync("f"))).Code);
    }

    [Fact]
    public async Task Object_of_a_dropped_function_and_of_a_dead_writer_are_removed()
    {
        await SetAsync("""{"bucket": "code"}""");
        await DeployAsync("f", Source(1));
        await DeployAsync("g", Source(1));
        await database.ExecuteAsync("select functions.migrate_code('bucket')");
        await MoveAllAsync();
        Assert.Equal(2, await ObjectsAsync());
        await database.ExecuteAsync(
            """
            select functions.drop('f');
            insert into functions_private.code_objects (bucket, key, version, began_at) values ('code', 'dead', gen_random_uuid(), now() - interval '1 hour'),
                ('code', 'alive', gen_random_uuid(), now());
            """
        );
        await sidecar.Mover.CleanUpAsync(CancellationToken.None);
        Assert.Equal(1, await ObjectsAsync());
        Assert.Equal(
            "alive stored",
            await database.ScalarAsync<string>(
                "select string_agg(case when key = 'alive' then key else state end, ' ' order by key) from functions_private.code_objects"
            )
        );
        await RunsWithoutStoredProgramAsync("g");
    }

    [Fact]
    public async Task Move_that_was_overtaken_by_another_one_changes_nothing()
    {
        await SetAsync("""{"bucket": "code"}""");
        await DeployAsync("f", Source(1));
        await database.ExecuteAsync(
            """
            select functions.migrate_code('bucket');
            insert into functions_private.code_objects (bucket, key, version) select 'code', 'late', id from functions_private.versions;
            select functions.migrate_code('table');
            """
        );
        Assert.False(
            await database.ScalarAsync<bool>(
                "select functions_private.complete_code_move(id, 'bucket', 'code', 'late', 1, null, null) from functions_private.versions"
            )
        );
        Assert.Equal("table", await PlacesAsync());
    }

    [Fact]
    public async Task Bucket_of_a_copys_original_is_read_and_not_written()
    {
        await SetAsync("""{"bucket": "code"}""");
        await DeployAsync("f", Source(1));
        await database.ExecuteAsync("select functions.migrate_code('bucket')");
        await MoveAllAsync();
        await database.ExecuteAsync("update functions_private.buckets set held = true where name = 'code'");
        await DeployAsync("g", Source(2));
        await database.ExecuteAsync("select functions.drop('f')");
        await database.ExecuteAsync("select functions.migrate_code('bucket')");
        await MoveAllAsync();
        Assert.Equal("table", await PlacesAsync());
        Assert.Equal(1, await ObjectsAsync());
    }

    [Fact]
    public async Task Code_comes_home_from_the_bucket_of_a_copys_original()
    {
        await SetAsync("""{"bucket": "code"}""");
        await DeployAsync("f", Source(1));
        await database.ExecuteAsync("select functions.migrate_code('bucket')");
        await MoveAllAsync();
        await database.ExecuteAsync("update functions_private.buckets set held = true where name = 'code'");
        await RunsWithoutStoredProgramAsync("f");
        await database.ExecuteAsync("select functions.migrate_code('table')");
        await MoveAllAsync();
        Assert.Equal("table", await PlacesAsync());
        Assert.Equal(1, await ObjectsAsync());
    }

    [Theory]
    [InlineData(
        "functions.set_code_storage('{\"bucket\": \"default\"}')",
        "the bucket default is none of code: functions could write to it"
    )]
    [InlineData("functions.set_code_storage('{\"bucket\": \"none\"}')", "There is no bucket named \"none\".")]
    [InlineData("functions.set_code_storage('{\"prefer\": \"bucket\"}')", "code can't go into a bucket without the option bucket")]
    [InlineData("functions.set_code_storage('{\"write\": \"s3\"}')", "option write must be \"table\", \"bucket\" or \"both\", not \"s3\"")]
    [InlineData("functions.migrate_code('s3')", "code is moved to table, bucket or both, not \"s3\"")]
    [InlineData("functions.migrate_code('bucket')", "there is no bucket for code")]
    [InlineData("functions.migrate_code('table', '{\"function\": \"none\"}')", "There is no function named \"none\".")]
    [InlineData(
        "functions.create_bucket('open', '{\"code\": true, \"public\": true}')",
        "a bucket of code can't have the options public, owner and policies: nobody but the sidecar reaches it"
    )]
    [InlineData(
        "functions.create_bucket('open', '{\"code\": true, \"policies\": [{\"role\": \"anon\", \"rights\": [\"write\"]}]}')",
        "a bucket of code can't have the options public, owner and policies: nobody but the sidecar reaches it"
    )]
    [InlineData("functions.create_bucket('code', '{}')", "the bucket code is one of code, which does not change")]
    [InlineData("functions.create_bucket('default', '{\"code\": true}')", "the bucket default is none of code, which does not change")]
    [InlineData("functions.signed_url('code', 'a')", "the bucket code has the code of functions: no URL reaches it")]
    public async Task Mistakes_are_refused_with_a_message(string call, string message)
    {
        var error = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"select {call}"));
        Assert.Equal(message, error.MessageText);
    }

    [Fact]
    public async Task Bucket_with_code_is_neither_emptied_nor_dropped()
    {
        await SetAsync("""{"bucket": "code"}""");
        await DeployAsync("f", Source(1));
        await database.ExecuteAsync("select functions.migrate_code('bucket')");
        await MoveAllAsync();
        foreach (var call in (string[])["clear_bucket('code')", "drop_bucket('code', true)"])
        {
            var error = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"select functions.{call}"));
            Assert.Equal(PostgresErrorCodes.ObjectInUse, error.SqlState);
        }
        await SetAsync("{}");
        Assert.Equal(
            PostgresErrorCodes.ObjectInUse,
            (
                await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync("select functions.drop_bucket('code', true)"))
            ).SqlState
        );
        await database.ExecuteAsync("select functions.migrate_code('table')");
        await MoveAllAsync();
        await database.ExecuteAsync("select functions.drop_bucket('code')");
    }

    /// <summary>A command that does nothing, with a custom section of some length.</summary>
    private static byte[] Module(int padding)
    {
        byte[] length = [(byte)((padding + 2) & 0x7F | 0x80), (byte)((padding + 2) >> 7 & 0x7F | 0x80), (byte)((padding + 2) >> 14 & 0x7F)];
        return
        [
            .. "\0asm"u8,
            .. (byte[])[1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 10, 1, 6],
            .. "_start"u8,
            .. (byte[])[0, 0, 10, 4, 1, 2, 0, 0x0B, 0],
            .. length,
            1,
            (byte)'x',
            .. new byte[padding],
        ];
    }

    private static string Source(int value) => $"export const handler = () => {value};";

    private Task SetAsync(string options) => database.ExecuteAsync($"select functions.set_code_storage('{options}')");

    private async Task DeployAsync(string name, string source)
    {
        await using var deploy = database.Owner.CreateCommand("select functions.deploy($1, $2)");
        deploy.Parameters.AddWithValue(name);
        deploy.Parameters.AddWithValue(source);
        await deploy.ExecuteNonQueryAsync();
        await database.ExecuteAsync($"call functions.wait_ready('{name}', timeout => '2 minutes')");
    }

    /// <summary>Does what the worker does, and removes what is not wanted any more.</summary>
    private async Task MoveAllAsync()
    {
        while (await sidecar.Mover.MoveNextAsync(CancellationToken.None)) { }
        await sidecar.Mover.CleanUpAsync(CancellationToken.None);
    }

    /// <summary>Where the code of each version is, in the order of the functions.</summary>
    private Task<string> PlacesAsync() =>
        database.ScalarAsync<string>("select string_agg(code, ' ' order by function, version) from functions.versions");

    private Task<long> ObjectsAsync() => database.ScalarAsync<long>("select count(*) from functions_private.objects where bucket = 'code'");

    /// <summary>Changes the object of the function f; $1 is other code of the same length.</summary>
    private async Task AttackAsync(string sql)
    {
        await using var attack = database.Owner.CreateCommand(sql);
        attack.Parameters.AddWithValue(
            Encoding.UTF8.GetBytes(sql.Contains("size", StringComparison.Ordinal) ? "export const handler = () => 'evil';" : Source(6))
        );
        await attack.ExecuteNonQueryAsync();
    }

    /// <summary>Another process of another engine, which has to compile the code.</summary>
    private async Task RunsWithoutStoredProgramAsync(string function)
    {
        await database.ExecuteAsync("update functions_private.versions set engine = 'another'");
        await using var other = await RegistrySidecar.StartAsync(database);
        var active = await database.ScalarAsync<int>($"select active_version from functions.functions where name = '{function}'");
        using var lease = await other.Programs.AcquireAsync(
            function,
            await database.VersionAsync(function, active),
            CancellationToken.None
        );
        Assert.True(lease.Program.SnapshotBytes > 0);
    }
}
