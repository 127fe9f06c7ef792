using Testcontainers.PostgreSql;

namespace Functions.PgSidecar.Testing;

/// <summary>
/// The server of a test run in a container: where PGFN_TEST_IMAGE names an image of PostgreSQL 15 or newer, or where the machine has no
/// programs of PostgreSQL. It has the settings that scripts/cluster.sh gives, and ends with the process.
/// </summary>
/// <remarks>Tests that kill, restart or replace a server start clusters of their own, for which the machine needs the programs.</remarks>
internal static class PostgresContainer
{
    private const string DefaultImage = "postgres:17";

    private static readonly string[] Settings =
    [
        "wal_level=logical",
        "max_connections=200",
        "max_wal_senders=20",
        "max_replication_slots=20",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "autovacuum=off",
    ];

    /// <summary>Whether the tests' server is to be a container.</summary>
    public static bool IsWanted => Environment.GetEnvironmentVariable("PGFN_TEST_IMAGE") is { Length: > 0 } || !HasPrograms();

    /// <summary>Starts one.</summary>
    /// <returns>A superuser's connection string.</returns>
    public static async Task<string> StartAsync()
    {
        var image = Environment.GetEnvironmentVariable("PGFN_TEST_IMAGE") is { Length: > 0 } named ? named : DefaultImage;
        var container = new PostgreSqlBuilder(image)
            .WithDatabase("postgres")
            .WithUsername("postgres")
            .WithPassword("postgres")
            .WithCommand([.. Settings.SelectMany(static setting => new[] { "-c", setting })])
            .Build();
        // Also where Testcontainers' own cleaner, which is an image, can't run.
        AppDomain.CurrentDomain.ProcessExit += (_, _) => container.DisposeAsync().AsTask().Wait(TimeSpan.FromSeconds(10));
        await container.StartAsync();
        return container.GetConnectionString();
    }

    /// <summary>Whether scripts/cluster.sh would find a server's programs; it looks into the same folders.</summary>
    private static bool HasPrograms()
    {
        if (Environment.GetEnvironmentVariable("PGFN_POSTGRES_BIN") is { Length: > 0 })
            return true;
        var path = Environment.GetEnvironmentVariable("PATH") ?? "";
        return path.Split(':').Any(static folder => File.Exists(Path.Combine(folder, "initdb")))
            || File.Exists("/usr/local/pgsql/bin/initdb")
            || Exists("/usr/lib/postgresql", "*")
            || Exists("/usr", "pgsql-*");

        static bool Exists(string parent, string pattern) =>
            Directory.Exists(parent)
            && Directory.EnumerateDirectories(parent, pattern).Any(static folder => File.Exists(Path.Combine(folder, "bin", "initdb")));
    }
}
