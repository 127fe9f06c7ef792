using System.Security.Cryptography;
using Functions.PgSidecar.Postgres.Migrations;
using Npgsql;

namespace Functions.PgSidecar.Testing;

/// <summary>A migrated database for one test, cloned from a template and dropped at the end.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private static readonly Lazy<Task<string>> Template = new(CreateTemplateAsync);

    private readonly PostgresServer server;

    private TestDatabase(PostgresServer server, string name)
    {
        this.server = server;
        Name = name;
        ConnectionString = server.ConnectionStringTo(name);
        // Creating a slot waits for every transaction of the cluster, including those of other tests.
        Owner = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(ConnectionString) { CommandTimeout = 180 });
    }

    /// <summary>
    /// The key from which the passwords of the login roles are derived. All test databases share it because roles belong to the cluster.
    /// </summary>
    public static ReadOnlyMemory<byte> RoleKey { get; } = "the tests' own key, 32 bytes long"u8.ToArray();

    /// <summary>The database's name.</summary>
    public string Name { get; }

    /// <summary>A superuser's connection string to it. The superuser owns the objects of the sidecar.</summary>
    public string ConnectionString { get; }

    /// <summary>The sidecar's own data source.</summary>
    public NpgsqlDataSource Owner { get; }

    /// <summary>A new, migrated database.</summary>
    public static async Task<TestDatabase> CreateAsync() => await CreateAsync(await Template.Value);

    /// <summary>A new, empty database.</summary>
    public static Task<TestDatabase> CreateEmptyAsync() => CreateAsync("template1");

    /// <summary>
    /// Makes the roles of functions, which belong to the cluster, as a superuser. A test's owner that made them could not be dropped from
    /// PostgreSQL 16 on, because memberships depend on who granted them.
    /// </summary>
    public static Task MakeRolesAsync() => Template.Value;

    /// <summary>Runs statements as the owner.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var command = Owner.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>The first column of the first row, as the owner.</summary>
    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = Owner.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is T value ? value : default!;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Owner.DisposeAsync();
        await server.ExecuteAsync($"drop database if exists \"{Name}\" with (force)");
    }

    private static async Task<TestDatabase> CreateAsync(string template)
    {
        var server = await PostgresServer.GetAsync();
        var name = $"pgfn_test_{Environment.ProcessId}_{RandomNumberGenerator.GetHexString(12, lowercase: true)}";
        // Copying files takes a third less than writing the database to the WAL. Checkpoints cost nothing in a cluster that doesn't sync.
        await server.ExecuteAsync($"create database \"{name}\" template \"{template}\" strategy file_copy");
        return new TestDatabase(server, name);
    }

    private static async Task<string> CreateTemplateAsync()
    {
        var server = await PostgresServer.GetAsync();
        var name = $"pgfn_template_{Environment.ProcessId}_{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        await server.ExecuteAsync($"create database \"{name}\" template template1");
        await using (var dataSource = NpgsqlDataSource.Create(server.ConnectionStringTo(name, pooling: false)))
        {
            await Migrator.ApplyAsync(dataSource, CancellationToken.None);
            // Sidecars would detect the clones as copied databases, which only the tests of copies want.
            await using var command = dataSource.CreateCommand("update functions_private.installation set database = null");
            await command.ExecuteNonQueryAsync();
        }
        if (server.IsGiven)
        {
            AppDomain.CurrentDomain.ProcessExit += (_, _) =>
                server.ExecuteAsync($"drop database if exists \"{name}\" with (force)").Wait(TimeSpan.FromSeconds(5));
        }
        return name;
    }
}
