using Functions.PgSidecar.Core.Configuration;
using Npgsql;

namespace Functions.PgSidecar.Tests.Unit.Configuration;

public sealed class DatabaseSettingsTests
{
    [Theory]
    [InlineData("postgresql://db/app", "db", 5432, null, "app")]
    [InlineData("postgres://u@db:6000/app", "db", 6000, null, "app")]
    [InlineData("postgresql://u:p%40ss%3Aw%2Fd@db/app", "db", 5432, "p@ss:w/d", "app")]
    [InlineData("postgresql://u:p@ss@db/app", "db", 5432, "p@ss", "app")]
    [InlineData("postgresql://u:p;q@db/app", "db", 5432, "p;q", "app")]
    [InlineData("postgresql://u:p@[::1]:6000/app", "::1", 6000, "p", "app")]
    [InlineData("postgresql://u@%2Frun%2Fpostgresql/app", "/run/postgresql", 5432, null, "app")]
    [InlineData("postgresql:///app?host=/run/postgresql&port=5433&user=u&password=a%26b", "/run/postgresql", 5433, "a&b", "app")]
    [InlineData("postgresql://u@db", "db", 5432, null, "u")]
    [InlineData("postgresql://u@a:1,b:2/app", "a:1,b:2", 5432, null, "app")]
    [InlineData("Host=db;Port=6000;Username=u;Password=\"p;q\";Database=app", "db", 6000, "p;q", "app")]
    public void A_database_url_is_read_as_libpq_and_Npgsql_read_it(string url, string host, int port, string? password, string database)
    {
        var read = Read(new Settings { ["DATABASE_URL"] = url });

        Assert.Equal((host, port, password, database), (read.Host, read.Port, read.Password, read.Database));
    }

    [Theory]
    [InlineData("disable", SslMode.Disable)]
    [InlineData("require", SslMode.Require)]
    [InlineData("verify-ca", SslMode.VerifyCA)]
    [InlineData("verify-full", SslMode.VerifyFull)]
    public void The_sslmode_of_libpq_is_kept(string mode, SslMode expected)
    {
        Assert.Equal(expected, Read(new Settings { ["DATABASE_URL"] = $"postgresql://u@db/app?sslmode={mode}" }).SslMode);
        Assert.Equal(expected, Read(new Settings { ["PGHOST"] = "db", ["PGSSLMODE"] = mode }).SslMode);
    }

    [Theory]
    [InlineData("disable", GssEncryptionMode.Disable)]
    [InlineData("prefer", GssEncryptionMode.Prefer)]
    [InlineData("require", GssEncryptionMode.Require)]
    public void The_gssencmode_of_libpq_is_kept(string mode, GssEncryptionMode expected)
    {
        Assert.Equal(expected, Read(new Settings { ["DATABASE_URL"] = $"postgresql://u@db/app?gssencmode={mode}" }).GssEncryptionMode);
        Assert.Equal(expected, Read(new Settings { ["DATABASE_URL"] = $"Host=db;GSS Encryption Mode={mode}" }).GssEncryptionMode);
        Assert.Equal(expected, Read(new Settings { ["PGHOST"] = "db", ["PGGSSENCMODE"] = mode }).GssEncryptionMode);
    }

    [Fact]
    public void GSS_encryption_is_attempted_only_when_configured()
    {
        Assert.Equal(GssEncryptionMode.Disable, Read(new Settings { ["DATABASE_URL"] = "postgresql://u@db/app" }).GssEncryptionMode);
        Assert.Equal(GssEncryptionMode.Disable, Read(new Settings { ["DATABASE_URL"] = "Host=db;Username=u" }).GssEncryptionMode);
        Assert.Equal(GssEncryptionMode.Disable, Read(new Settings { ["PGHOST"] = "db" }).GssEncryptionMode);
    }

    [Fact]
    public void Libpq_variables_are_used_without_a_url()
    {
        var read = Read(
            new Settings
            {
                ["PGHOST"] = "db",
                ["PGPORT"] = "6000",
                ["PGUSER"] = "u",
                ["PGPASSWORD"] = " p ",
                ["PGDATABASE"] = "app",
                ["PGPASSFILE"] = "/pass",
                ["PGCONNECT_TIMEOUT"] = "3",
                ["PGOPTIONS"] = "-c a=b",
                ["PGAPPNAME"] = "mine",
            }
        );

        Assert.Equal(
            ("db", 6000, "u", " p ", "app", "/pass"),
            (read.Host, read.Port, read.Username, read.Password, read.Database, read.Passfile)
        );
        Assert.Equal((3, "-c a=b", "mine"), (read.Timeout, read.Options, read.ApplicationName));
    }

    [Fact]
    public void Url_takes_precedence_over_the_libpq_variables() =>
        Assert.Equal(
            "url",
            Read(
                new Settings
                {
                    ["DATABASE_URL"] = "postgresql://u@url/app",
                    ["PGHOST"] = "variable",
                    ["PGPASSWORD"] = "p",
                }
            ).Host
        );

    [Theory]
    [InlineData("mysql://u@db/app")]
    [InlineData("postgresql://u@db:port/app")]
    [InlineData("postgresql://u@db:70000/app")]
    [InlineData("postgresql://u:50%@db/app")]
    [InlineData("postgresql:///app")]
    [InlineData("postgresql://u@db/app?sslmode=maybe")]
    [InlineData("postgresql://u@db/app?surprise=1")]
    [InlineData("postgresql://u@db/app?sslmode")]
    [InlineData("db")]
    [InlineData("host=db dbname=app")]
    [InlineData("Host=db;Port=x")]
    public void Invalid_url_is_one_error(string url)
    {
        Assert.Null(SidecarOptions.TryLoad(new Settings { ["DATABASE_URL"] = url }, out var errors));

        Assert.StartsWith("DATABASE_URL: ", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void An_error_in_a_libpq_variable_names_the_variable()
    {
        Assert.Null(
            SidecarOptions.TryLoad(
                new Settings
                {
                    ["PGHOST"] = "db",
                    ["PGPORT"] = "x",
                    ["PGSSLMODE"] = "y",
                },
                out var errors
            )
        );

        Assert.Equal(["PGPORT: 'x' is no port.", "PGSSLMODE: 'y' is no sslmode."], errors);
    }

    private static NpgsqlConnectionStringBuilder Read(Settings settings)
    {
        var options = SidecarOptions.TryLoad(settings, out var errors);
        Assert.Empty(errors);
        return new NpgsqlConnectionStringBuilder(options!.ConnectionString);
    }
}
