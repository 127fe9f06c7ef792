using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Http;

/// <summary>The database and the sidecar accept the same host patterns.</summary>
public sealed class HostPatternTests
{
    [Fact]
    public async Task Sidecar_accepts_every_pattern_that_allow_host_accepts()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("select functions.deploy('f', 'export function handler() {}')");
        string[] patterns =
        [
            "api.example.com",
            "API.Example.com",
            "*.example.com",
            "api.example.com:8443",
            "http://api.example.com",
            "https://*.example.com:444",
            "*",
            "http://*:8080",
            "localhost",
            "http://localhost:3000",
            "127.0.0.1:3000",
            "[::1]",
            "http://[2001:db8::1]:80",
            "a_b.example.com",
            "_x.example.com",
            "xn--bcher-kva.example",
            "1.2.3",
            "999.1.1.1",
        ];

        foreach (var pattern in patterns)
        {
            await using var command = database.Owner.CreateCommand("select functions.allow_host('f', $1)");
            command.Parameters.AddWithValue(pattern);
            await command.ExecuteNonQueryAsync();
            HostPattern.Parse(pattern);
        }

        var stored = await database.ScalarAsync<string[]>("select array_agg(pattern) from functions_private.hosts where function = 'f'");
        Assert.True(HostAllowList.Create(stored).Allows(new Uri("http://localhost:3000/")));
    }

    [Fact]
    public async Task Allow_host_refuses_every_pattern_that_the_sidecar_refuses()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("select functions.deploy('f', 'export function handler() {}')");
        string[] patterns =
        [
            "",
            " ",
            "*.",
            "**",
            "*.*.com",
            "api.*.com",
            "*.127.0.0.1",
            "*.127.0.0.1:80",
            "ftp://example.com",
            "https://example.com/",
            "example.com/path",
            "user@example.com",
            "example.com:0",
            "example.com:65536",
            "example.com:99999",
            "example.com:80:90",
            "exa mple.com",
            "[::1",
            "[:::::]",
            "[zz::]",
            "-a.example.com",
            new string('a', 64) + ".com",
            "a..b",
        ];

        foreach (var pattern in patterns)
        {
            await using var command = database.Owner.CreateCommand("select functions.allow_host('f', $1)");
            command.Parameters.AddWithValue(pattern);
            var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
            Assert.Equal("22023", refused.SqlState);
        }
    }
}
