using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>A database installed by <c>pgfn install</c>: its owner is no superuser, and a separate login reads the WAL.</summary>
internal sealed class InstallationHarness : IAsyncDisposable
{
    private const string Password = "secret";

    // From PostgreSQL 16 on, an owner must be granted the roles of functions that another database's owner created: `pgfn install` does so
    // for those that exist, and two at once may each make the other's.
    private static readonly SemaphoreSlim OneAtATime = new(1);

    private readonly TestDatabase? database;
    private readonly bool withServer;

    private InstallationHarness(string superuser, TestDatabase? database, bool withServer)
    {
        this.withServer = withServer;
        this.database = database;
        SuperuserConnectionString = new NpgsqlConnectionStringBuilder(superuser) { Pooling = false, CommandTimeout = 180 }.ConnectionString;
        Source = NpgsqlDataSource.Create(ConnectionString(Owner));
    }

    /// <summary>The login that owns the installed objects.</summary>
    public string Owner { get; } = "owner_" + Guid.NewGuid().ToString("n")[..16];

    /// <summary>The login that reads the WAL.</summary>
    public string Replicator => Owner + "_replicator";

    /// <summary>The login that only serves, if it was asked for.</summary>
    public string Server => Owner + "_server";

    public string SuperuserConnectionString { get; }

    /// <summary>The owner's.</summary>
    public NpgsqlDataSource Source { get; }

    /// <param name="isNewer">Whether on a server of a newer version.</param>
    /// <param name="withServer">Whether with a login that only serves.</param>
    /// <param name="prepare">What a superuser does in the database before; not on a newer server.</param>
    public static async Task<InstallationHarness> CreateAsync(
        bool isNewer,
        bool withServer = false,
        Func<TestDatabase, Task>? prepare = null
    )
    {
        if (!isNewer)
        {
            await TestDatabase.MakeRolesAsync();
            var database = await TestDatabase.CreateEmptyAsync();
            if (prepare is not null)
                await prepare(database);
            var harness = new InstallationHarness(database.ConnectionString, database, withServer);
            await harness.InstallAsync();
            return harness;
        }
        var superuser = await NewerServer.CreateDatabaseAsync();
        var name = "installed_" + Guid.NewGuid().ToString("n");
        await using (var maintenance = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(superuser) { Pooling = false }))
        await using (var create = maintenance.CreateCommand($"create database {name}"))
            await create.ExecuteNonQueryAsync();
        var newer = new InstallationHarness(
            new NpgsqlConnectionStringBuilder(superuser) { Database = name }.ConnectionString,
            null,
            withServer
        );
        await newer.InstallAsync();
        return newer;
    }

    public string ConnectionString(string login) =>
        new NpgsqlConnectionStringBuilder(SuperuserConnectionString)
        {
            Username = login,
            Password = Password,
            Pooling = false,
            CommandTimeout = 180,
        }.ConnectionString;

    /// <summary>What <c>pgfn install</c> does.</summary>
    public async Task InstallAsync()
    {
        await using var superuser = NpgsqlDataSource.Create(SuperuserConnectionString);
        await using var connection = await superuser.OpenConnectionAsync();
        await OneAtATime.WaitAsync();
        try
        {
            await Installer.PrepareAsync(
                connection,
                (Owner, Password),
                (Replicator, Password),
                withServer ? (Server, Password) : null,
                CancellationToken.None
            );
            await Migrator.ApplyAsync(Source, CancellationToken.None);
        }
        finally
        {
            OneAtATime.Release();
        }
        if (withServer)
            await Installer.GrantServerAsync(Source, Server, CancellationToken.None);
        await Installer.CompleteAsync(connection, CancellationToken.None);
    }

    /// <summary>A table, a function and the first trigger of the owner, which creates the slot.</summary>
    public async Task CreateTriggerAsync()
    {
        await ExecuteAsync("create table if not exists things (id int primary key)");
        await ExecuteAsync("select functions.deploy('noting', 'export const handler = () => null;')");
        await ExecuteAsync("select functions.create_trigger('on_things', 'noting', 'things')");
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is T value ? value : default!;
    }

    public async Task AsSuperuserAsync(string sql)
    {
        await using var superuser = NpgsqlDataSource.Create(SuperuserConnectionString);
        await using var command = superuser.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Lets the owner manage a role of somebody else's, which CREATEROLE does not allow from PostgreSQL 16 on.</summary>
    public Task LetManageAsync(string role) =>
        AsSuperuserAsync(
            $"""
            do $do$ begin
                if current_setting('server_version_num')::integer >= 160000 then
                    execute 'grant {role} to {Owner} with admin true, inherit false, set false';
                end if;
            end $do$
            """
        );

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        await AsSuperuserAsync(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active"
        );
        if (database is null)
            return;
        await database.DisposeAsync();
        var server = await PostgresServer.GetAsync();
        await server.ExecuteAsync(
            $"drop role if exists {Replicator}; drop role if exists {Server}; drop role if exists {Owner}_app; drop role if exists {Owner}"
        );
    }
}
