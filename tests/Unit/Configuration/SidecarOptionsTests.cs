using System.Net;
using Functions.PgSidecar.Core.Configuration;

namespace Functions.PgSidecar.Tests.Unit.Configuration;

public sealed class SidecarOptionsTests
{
    private const string Database = "postgresql://u:p@db/app";

    [Fact]
    public void Only_the_database_is_required()
    {
        var options = Load(new Settings { ["DATABASE_URL"] = Database });

        Assert.Equal(["http://127.0.0.1:8787"], options.Listen);
        Assert.Equal(TimeSpan.FromSeconds(60), options.Auth.ClockSkew);
        Assert.Equal("anon", options.Auth.DefaultRole);
        Assert.True(options.Auth.RequireExpiry);
        Assert.Equal(10 << 20, options.Limits.MaxBodyBytes);
        Assert.Equal(7, options.Limits.LogRetentionDays);
        Assert.Equal(TimeSpan.FromMicroseconds(100), options.Limits.TimerResolution);
        Assert.Equal(Math.Max(64L << 20, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2), options.Limits.MemoryBytes);
        Assert.Equal(60, options.Http.RequestsPerSecond);
        Assert.Null(options.Secrets.Key);
    }

    [Fact]
    public void Every_setting_is_read()
    {
        var options = Load(
            new Settings
            {
                ["DATABASE_URL"] = Database,
                ["PGFN_LISTEN"] = "http://+:8080; http://unix:/run/pgfn.sock",
                ["PGFN_JWT_SECRET"] = new string('s', 32),
                ["PGFN_JWKS_URL"] = "https://id.example/jwks",
                ["PGFN_JWT_AUDIENCE"] = "app",
                ["PGFN_JWT_ISSUER"] = "https://id.example",
                ["PGFN_JWT_CLOCK_SKEW"] = "5s",
                ["PGFN_JWT_REQUIRE_EXP"] = "false",
                ["PGFN_JWT_ROLE_CLAIM"] = "pg_role",
                ["PGFN_JWT_ROLES"] = "editor, viewer",
                ["PGFN_JWT_DEFAULT_ROLE"] = "guest",
                ["PGFN_ANON_ROLE"] = "visitor",
                ["PGFN_SECRET_KEY"] = new string('k', 32),
                ["PGFN_STATE_DIR"] = "/var/lib/pgfn",
                ["PGFN_HTTP_ALLOW_NETWORKS"] = "10.0.0.0/8, fd00::/8",
                ["PGFN_HTTP_MAX_REQUEST_SIZE"] = "64KB",
                ["PGFN_HTTP_MAX_RESPONSE_SIZE"] = "1mb",
                ["PGFN_HTTP_RATE_LIMIT"] = "5",
                ["PGFN_HTTP_TIMEOUT"] = "1m",
                ["PGFN_MAX_CONCURRENCY"] = "10",
                ["PGFN_QUEUE_LIMIT"] = "0",
                ["PGFN_MAX_BODY_SIZE"] = "2048",
                ["PGFN_LOG_RETENTION_DAYS"] = "30",
                ["PGFN_LOG_INVOCATION_SIZE"] = "64KB",
                ["PGFN_LOG_FUNCTION_RATE"] = "1MB",
                ["PGFN_MEMORY_LIMIT"] = "2GB",
                ["PGFN_TIMER_RESOLUTION"] = "20us",
                ["PGFN_SANDBOX_THREADS"] = "3",
                ["PGFN_DB_POOL_SIZE"] = "4",
                ["PGFN_SHUTDOWN_DELAY"] = "5s",
                ["PGFN_SHUTDOWN_TIMEOUT"] = "1500ms",
            }
        );

        Assert.Equal(["http://+:8080", "http://unix:/run/pgfn.sock"], options.Listen);
        Assert.Equal(
            (64L << 10, 1L << 20, 2L << 30, TimeSpan.FromMicroseconds(20)),
            (
                options.Limits.LogBytesPerInvocation,
                options.Limits.LogBytesPerMinute,
                options.Limits.MemoryBytes,
                options.Limits.TimerResolution
            )
        );
        Assert.Equal(
            ("app", "https://id.example", "pg_role", "guest", "visitor"),
            (options.Auth.Audience, options.Auth.Issuer, options.Auth.RoleClaim, options.Auth.DefaultRole, options.Auth.AnonymousRole)
        );
        Assert.Equal(["editor", "viewer"], options.Auth.TokenRoles);
        Assert.Equal(new Uri("https://id.example/jwks"), options.Auth.JwksUrl);
        Assert.Equal(TimeSpan.FromSeconds(5), options.Auth.ClockSkew);
        Assert.False(options.Auth.RequireExpiry);
        Assert.Equal("/var/lib/pgfn/secret.key", options.Secrets.KeyFile);
        Assert.Equal([IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd00::/8")], options.Http.AllowedNetworks);
        Assert.Equal(
            (64 << 10, 1 << 20, 5, TimeSpan.FromMinutes(1)),
            (options.Http.MaxRequestBytes, options.Http.MaxResponseBytes, options.Http.RequestsPerSecond, options.Http.Timeout)
        );
        Assert.Equal(
            (10, 0, 2048, 30, 3, 4, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1.5)),
            (
                options.Limits.Concurrency,
                options.Limits.QueueLimit,
                options.Limits.MaxBodyBytes,
                options.Limits.LogRetentionDays,
                options.Limits.SandboxThreads,
                options.Limits.ConnectionsPerRole,
                options.Limits.ShutdownDelay,
                options.Limits.ShutdownTimeout
            )
        );
    }

    [Fact]
    public void Every_error_is_reported_at_once_and_names_its_setting()
    {
        var wrong = new Settings
        {
            ["PGFN_LISTEN"] = "localhost:8787",
            ["PGFN_JWT_SECRET"] = "short",
            ["PGFN_JWKS_URL"] = "ftp://id.example/jwks",
            ["PGFN_JWKS_FILE"] = "/does/not/exist",
            ["PGFN_JWT_CLOCK_SKEW"] = "soon",
            ["PGFN_JWT_REQUIRE_EXP"] = "maybe",
            ["PGFN_JWT_ROLE_CLAIM"] = "roles[0]",
            ["PGFN_JWT_ROLES"] = "editor,1st",
            ["PGFN_ANON_ROLE"] = "a b",
            ["PGFN_SECRET_KEY"] = "short",
            ["PGFN_HTTP_ALLOW_NETWORKS"] = "10.0.0.0/99",
            ["PGFN_MAX_BODY_SIZE"] = "10XB",
            ["PGFN_LOG_RETENTION_DAYS"] = "0",
            ["PGFN_SANDBOX_THREADS"] = "-1",
        };

        var errors = Errors(wrong);

        Assert.All(wrong.Select(setting => setting.Key).Append("DATABASE_URL"), name =>
            Assert.Contains(errors, e => e.StartsWith(name + ": ", StringComparison.Ordinal))
        );
        Assert.All(errors, e => Assert.DoesNotContain('\n', e));
    }

    [Theory]
    [InlineData("https://0.0.0.0:8787")]
    [InlineData("http://127.0.0.1:8787/path")]
    [InlineData("http://host:99999")]
    [InlineData("8787")]
    public void Invalid_listen_address_is_an_error(string address) =>
        Assert.StartsWith(
            "PGFN_LISTEN: ",
            Assert.Single(Errors(new Settings { ["DATABASE_URL"] = Database, ["PGFN_LISTEN"] = address })),
            StringComparison.Ordinal
        );

    [Fact]
    public void Misspelt_setting_is_an_error_that_suggests_the_right_name() =>
        Assert.Equal(
            ["PGFN_JWT_AUDIENC: there is no such setting; did you mean PGFN_JWT_AUDIENCE?"],
            Errors(new Settings { ["DATABASE_URL"] = Database, ["PGFN_JWT_AUDIENC"] = "app" })
        );

    [Theory]
    [InlineData("PGFN_URL")]
    [InlineData("PGFN_PORT")]
    [InlineData("PGFN_PORT_8787_TCP")]
    [InlineData("PGFN_SERVICE_HOST")]
    [InlineData("PGFN_TEST_DATABASE_URL")]
    [InlineData("PGHOSTADDR")]
    public void Unrelated_environment_variables_are_ignored(string name) =>
        Load(new Settings { ["DATABASE_URL"] = Database, [name] = "whatever" });

    [Fact]
    public void Documentation_lists_exactly_the_settings_that_exist()
    {
        var reader = new SettingReader(new Settings { ["PGHOST"] = "db" });
        SidecarOptions.TryLoad(reader, out _);
        var documented = System
            .Text.RegularExpressions.Regex.Matches(
                File.ReadAllText(Path.Combine(Repository(), "docs", "settings.md")),
                @"^\| `([A-Z_]+)`",
                System.Text.RegularExpressions.RegexOptions.Multiline
            )
            .Select(match => match.Groups[1].Value);

        Assert.Equal(
            reader.Known.Where(name => !reader.Known.Contains(name.Replace("_FILE", "")) || !name.EndsWith("_FILE")).Order(),
            documented.Order()
        );
    }

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Directory.Packages.props")))
            folder = folder.Parent;
        return folder.FullName;
    }

    [Fact]
    public void Secret_from_a_file_has_no_trailing_line_break()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, new string('s', 40) + " \n");
            Assert.Equal(
                new string('s', 40) + " ",
                Load(new Settings { ["DATABASE_URL"] = Database, ["PGFN_JWT_SECRET_FILE"] = path }).Auth.Secret
            );

            Assert.Contains(
                "PGFN_JWT_SECRET: is set together with PGFN_JWT_SECRET_FILE; keep one of them.",
                Errors(
                    new Settings
                    {
                        ["DATABASE_URL"] = Database,
                        ["PGFN_JWT_SECRET"] = new string('t', 40),
                        ["PGFN_JWT_SECRET_FILE"] = path,
                    }
                )
            );

            File.WriteAllText(path, "\n");
            Assert.Contains(
                "PGFN_JWT_SECRET_FILE: ",
                Assert.Single(Errors(new Settings { ["DATABASE_URL"] = Database, ["PGFN_JWT_SECRET_FILE"] = path })),
                StringComparison.Ordinal
            );
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_missing_secret_file_is_one_error_about_the_file() =>
        Assert.StartsWith(
            "DATABASE_URL_FILE: ",
            Assert.Single(Errors(new Settings { ["DATABASE_URL_FILE"] = "/does/not/exist" })),
            StringComparison.Ordinal
        );

    [Fact]
    public void Error_messages_never_contain_a_secret()
    {
        const string secret = "hunter2hunter2";
        var errors = Errors(
            new Settings
            {
                ["DATABASE_URL"] = $"postgresql://u:{secret}@db:port/app",
                ["PGFN_JWT_SECRET"] = secret,
                ["PGFN_SECRET_KEY"] = secret,
            }
        );
        errors = [.. errors, .. Errors(new Settings { ["DATABASE_URL"] = $"Host=db;Password={secret};Nonsense={secret}" })];
        errors = [.. errors, .. Errors(new Settings { ["DATABASE_URL"] = $"mysql://u:{secret}@db" })];

        Assert.True(errors.Count >= 5);
        Assert.All(errors, e => Assert.DoesNotContain(secret, e, StringComparison.Ordinal));
    }

    private static SidecarOptions Load(Settings settings)
    {
        var options = SidecarOptions.TryLoad(settings, out var errors);
        Assert.Empty(errors);
        return options!;
    }

    private static IReadOnlyList<string> Errors(Settings settings)
    {
        Assert.Null(SidecarOptions.TryLoad(settings, out var errors));
        return errors;
    }
}
