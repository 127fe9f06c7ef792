using System.Globalization;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Management;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>
/// Functions are managed over HTTP with API keys and tokens with the configured claim, never by a role that functions run as.
/// </summary>
public sealed class ManagementTests(SidecarFixture sidecar)
{
    private static int names;

    [Theory]
    [InlineData("anon")]
    [InlineData("authenticated")]
    [InlineData("service_role")]
    public async Task Role_of_a_token_never_allows_deploying(string role)
    {
        var function = NewName();
        var (status, code, message) = await DeployAsync(function, bearer: Tokens.For(role));
        Assert.Equal((403, "FORBIDDEN"), (status, code));
        Assert.Contains("the scope deploy", message, StringComparison.Ordinal);
        Assert.False(await ExistsAsync(function));
    }

    [Fact]
    public async Task Request_without_a_credential_gets_401()
    {
        var (status, code, message) = await DeployAsync(NewName());
        Assert.Equal((401, "AUTHENTICATION_ERROR"), (status, code));
        Assert.Contains("create_api_key", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{deploy}", 201)]
    [InlineData("{*}", 201)]
    [InlineData("{secrets}", 403)]
    [InlineData("{read,manage}", 403)]
    public async Task Key_deploys_only_with_the_scope_for_it(string scopes, int expected)
    {
        var function = NewName();
        var (status, _, message) = await DeployAsync(function, bearer: await CreateKeyAsync(scopes));
        Assert.True(expected == status, $"{status}: {message}");
        Assert.Equal(expected == 201, await ExistsAsync(function));
        if (expected == 403)
            Assert.Contains("the scope deploy", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Key_in_its_own_header_deploys_and_a_second_credential_is_refused()
    {
        var key = await CreateKeyAsync();
        Assert.Equal(201, (await DeployAsync(NewName(), managementKey: key)).Status);
        Assert.Equal((401, "PGFN3021"), Refusal(await DeployAsync(NewName(), bearer: key, managementKey: key)));
        Assert.Equal((401, "PGFN3021"), Refusal(await DeployAsync(NewName(), bearer: Tokens.For("service_role"), managementKey: key)));
    }

    [Fact]
    public async Task Two_Authorization_headers_are_refused_even_when_one_is_valid()
    {
        var key = await CreateKeyAsync();
        foreach (var other in new[] { key, "x", Tokens.For("service_role") })
        {
            await using var connection = await RawConnection.OpenAsync(sidecar.Sidecar.Url);
            await connection.SendAsync(
                $"POST /functions/v1/deploy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nAuthorization: Bearer {other}\r\nContent-Length: 0\r\n\r\n"
            );
            var response = (await connection.ReceiveAsync())!.Value;
            Assert.Equal((401, "PGFN3021"), (response.Status, (string)JsonNode.Parse(response.Body)!["code"]!));
        }
    }

    [Fact]
    public async Task Key_that_differs_in_any_character_is_refused()
    {
        var key = await CreateKeyAsync();
        string[] forged =
        [
            key[..^1],
            key + "0",
            key[..^1] + (key[^1] == '0' ? '1' : '0'),
            key.ToUpperInvariant(),
            key[..21],
            "pgfn_",
            "pgfn_" + new string('0', 81),
            "pgfn_" + new string('0', 16) + key[21..],
            key[..22] + new string('0', 64),
            key[..22] + new string('g', 64),
            key.Replace('_', '-'),
        ];
        foreach (var text in forged)
        {
            // A credential without the prefix of keys is parsed as a token, and is invalid.
            var expected = text.StartsWith("pgfn_", StringComparison.Ordinal) ? "PGFN3019" : "PGFN3004";
            Assert.Equal((401, expected), Refusal(await DeployAsync(NewName(), bearer: text)));
            Assert.Equal((401, "PGFN3019"), Refusal(await DeployAsync(NewName(), managementKey: text)));
        }
        Assert.Equal(201, (await DeployAsync(NewName(), bearer: key)).Status);
    }

    [Fact]
    public async Task Key_works_from_its_creation()
    {
        for (var i = 0; i < 20; i++)
            Assert.Equal((403, "FORBIDDEN"), Refusal(await DeployAsync(NewName(), bearer: await CreateKeyAsync("{read}"))));
    }

    [Fact]
    public async Task Dropped_key_stops_working_even_when_cached()
    {
        var name = NewName();
        var key = await CreateKeyAsync(name: name);
        Assert.Equal(201, (await DeployAsync(NewName(), bearer: key)).Status);
        await ExecuteAsync("select functions.drop_api_key($1)", name);
        // Regardless of the notification: the deployment itself checks the key.
        Assert.Equal((401, "PGFN3019"), Refusal(await DeployAsync(NewName(), bearer: key)));
    }

    [Fact]
    public async Task Expired_key_stops_working()
    {
        var name = NewName();
        var key = await CreateKeyAsync(name: name, options: """{"expires_in":"1 hour"}""");
        Assert.Equal(201, (await DeployAsync(NewName(), bearer: key)).Status);
        await ExecuteAsync("update functions_private.api_keys set expires_at = now() - interval '1 second' where name = $1", name);
        var refusal = Refusal(await DeployAsync(NewName(), bearer: key));
        // Expired in the sidecar, or, before the notification, in the database.
        Assert.True(refusal is (401, "PGFN3020") or (401, "PGFN3019"), refusal.ToString());
        await Eventually.HoldsAsync(async () => Refusal(await DeployAsync(NewName(), bearer: key)) == (401, "PGFN3020"));
    }

    [Theory]
    [InlineData("of \"the\" shop's; drop table x --")]
    [InlineData("Schlüssel für ☕ 🚀")]
    [InlineData("%s {0} \\ $1")]
    public async Task Version_records_the_key_that_deployed_it_regardless_of_the_keys_name(string suffix)
    {
        var (function, name) = (NewName(), NewName() + suffix);
        Assert.Equal(201, (await DeployAsync(function, bearer: await CreateKeyAsync(name: name))).Status);
        Assert.Equal("key " + name, await DeployedByAsync(function, 1));
        await sidecar.DeployAsAsync(function, "export const handler = () => 1;");
        Assert.StartsWith("role ", await DeployedByAsync(function, 2), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replacing_a_function_with_secrets_needs_the_scope_for_it()
    {
        var function = await sidecar.DeployAsync("export const handler = () => env('PAY');");
        await ExecuteAsync("select functions.set_secret($1, 'PAY', 'sk_live_topsecret')", function);
        var (status, code, message) = await DeployAsync(function, bearer: await CreateKeyAsync("{deploy}"));
        Assert.Equal((403, "FORBIDDEN"), (status, code));
        Assert.Contains("the scope secrets", message, StringComparison.Ordinal);
        Assert.Equal(1, await LatestVersionAsync(function));
        Assert.Equal(201, (await DeployAsync(function, bearer: await CreateKeyAsync("{deploy,secrets}"))).Status);
    }

    [Theory]
    [InlineData("select functions.allow_host($1, 'http://127.0.0.1:9')")]
    [InlineData("select functions.allow_host($1, 'localhost')")]
    [InlineData("select functions.allow_host($1, '10.1.2.3')")]
    [InlineData(
        "select functions.deploy($1, 'export const handler = () => 2', options => '{\"allow_hosts\": [\"http://169.254.169.254\"]}')"
    )]
    public async Task Replacing_a_function_with_private_hosts_needs_the_scope_for_it(string opens)
    {
        var function = await sidecar.DeployAsync("export const handler = () => 1;");
        await ExecuteAsync(opens, function);
        var before = await LatestVersionAsync(function);
        Assert.Equal((403, "FORBIDDEN"), Refusal(await DeployAsync(function, bearer: await CreateKeyAsync("{deploy}"))));
        Assert.Equal(before, await LatestVersionAsync(function));
        Assert.Equal(201, (await DeployAsync(function, bearer: await CreateKeyAsync("{deploy,secrets}"))).Status);
    }

    [Fact]
    public async Task Key_cannot_allow_names_where_names_reach_private_networks()
    {
        // The shared sidecar has PGFN_HTTP_ALLOW_NETWORKS.
        Assert.Equal(
            (403, "FORBIDDEN"),
            Refusal(await DeployAsync(NewName(), """{"allow_hosts":["api.example.com"]}""", await CreateKeyAsync("{*}")))
        );
    }

    [Fact]
    public async Task Key_limited_to_functions_deploys_only_those()
    {
        var (mine, other) = (NewName(), NewName());
        var key = await CreateKeyAsync(options: $$"""{"functions":["{{mine}}"]}""");
        Assert.Equal(201, (await DeployAsync(mine, bearer: key)).Status);
        Assert.Equal((403, "FORBIDDEN"), Refusal(await DeployAsync(other, bearer: key)));
        Assert.False(await ExistsAsync(other));
    }

    [Fact]
    public async Task Use_of_a_key_is_recorded_and_only_its_hash_is_stored()
    {
        var name = NewName();
        var key = await CreateKeyAsync(name: name);
        Assert.Matches("^pgfn_[0-9a-f]{16}_[0-9a-f]{64}$", key);
        Assert.Equal(201, (await DeployAsync(NewName(), bearer: key)).Status);
        await sidecar.EventuallyAsync<DateTime>("select last_used_at from functions.api_keys where name = $1", name);
        Assert.False(
            await sidecar.Database.ScalarAsync<bool>(
                $"select exists (select from functions_private.api_keys k where k::text like '%{key[22..]}%')"
            )
        );
        Assert.DoesNotContain(key[22..], sidecar.Sidecar.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Token_manages_only_with_the_configured_claim()
    {
        await using var claims = await SidecarProcess.StartAsync(
            sidecar.Database.ConnectionString,
            ("PGFN_MANAGE_CLAIM", "scope=functions:deploy; groups=ops deploy,secrets")
        );
        using var http = new HttpClient { BaseAddress = claims.Url };
        var function = NewName();
        Assert.Equal(201, (await DeployAsync(function, bearer: Token("scope", "openid functions:deploy"), http: http)).Status);
        Assert.Equal("token deployer", await DeployedByAsync(function, 1));
        foreach (
            object value in new object[]
            {
                "functions:deployer",
                "xfunctions:deploy",
                "functions",
                "FUNCTIONS:DEPLOY",
                true,
                new[] { "functions:deployer" },
            }
        )
            Assert.Equal((403, "FORBIDDEN"), Refusal(await DeployAsync(NewName(), bearer: Token("scope", value), http: http)));
        Assert.Equal((403, "FORBIDDEN"), Refusal(await DeployAsync(NewName(), bearer: Tokens.For("service_role"), http: http)));

        await ExecuteAsync("select functions.set_secret($1, 'PAY', 'sk_live_topsecret')", function);
        Assert.Equal((403, "FORBIDDEN"), Refusal(await DeployAsync(function, bearer: Token("scope", "functions:deploy"), http: http)));
        Assert.Equal(201, (await DeployAsync(function, bearer: Token("groups", new[] { "dev", "ops" }), http: http)).Status);
        // The same tokens, where no setting names a claim.
        Assert.Equal((403, "FORBIDDEN"), Refusal(await DeployAsync(NewName(), bearer: Token("scope", "functions:deploy"))));
        var forged = Tokens.Sign(
            new() { ["scope"] = "functions:deploy", ["exp"] = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds() },
            secret: new string('x', 40)
        );
        Assert.Equal((401, "PGFN3010"), Refusal(await DeployAsync(NewName(), bearer: forged, http: http)));
    }

    [Fact]
    public async Task Key_cannot_call_a_function()
    {
        var function = await sidecar.DeployAsync("export const handler = () => 1;");
        using var response = await sidecar.SendAsync(HttpMethod.Get, function, null, await CreateKeyAsync("{*}"));
        Assert.Equal(401, (int)response.StatusCode);
    }

    [Theory]
    [InlineData("''", "'{deploy}'", "'{}'")]
    [InlineData("E'a\\nb'", "'{deploy}'", "'{}'")]
    [InlineData("null", "'{deploy}'", "'{}'")]
    [InlineData("'key'", "'{}'", "'{}'")]
    [InlineData("'key'", "null", "'{}'")]
    [InlineData("'key'", "'{deploy,root}'", "'{}'")]
    [InlineData("'key'", "array['deploy',null]", "'{}'")]
    [InlineData("'key'", "'{deploy}'", "'[]'")]
    [InlineData("'key'", "'{deploy}'", "'{\"function\":[\"a\"]}'")]
    [InlineData("'key'", "'{deploy}'", "'{\"functions\":[\"Not A Name\"]}'")]
    [InlineData("'key'", "'{deploy}'", "'{\"expires_in\":\"-1 day\"}'")]
    [InlineData("'key'", "'{deploy}'", "'{\"expires_in\":\"1 day\",\"expires_at\":\"2999-01-01\"}'")]
    public async Task Invalid_key_definitions_are_errors(string name, string scopes, string options)
    {
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            sidecar.Database.ExecuteAsync($"select functions.create_api_key({name}, {scopes}, {options})")
        );
        Assert.StartsWith("22", error.SqlState.Replace("42602", "22", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("anon")]
    [InlineData("authenticated")]
    [InlineData("service_role")]
    public async Task Roles_of_functions_cannot_read_or_create_keys(string role)
    {
        foreach (
            var sql in new[]
            {
                "select * from functions.api_keys",
                "select functions.create_api_key('x', '{*}')",
                "select functions.drop_api_key('x')",
                "table functions_private.api_keys",
            }
        )
        {
            var error = await Assert.ThrowsAsync<PostgresException>(() =>
                sidecar.Database.ExecuteAsync($"begin; set local role {role}; {sql}; rollback")
            );
            Assert.Equal("42501", error.SqlState);
        }
    }

    private static string NewName() => "managed-" + Interlocked.Increment(ref names).ToString(CultureInfo.InvariantCulture);

    private static string Token(string claim, object value) =>
        Tokens.Sign(
            new()
            {
                ["sub"] = "deployer",
                ["role"] = "authenticated",
                [claim] = value,
                ["exp"] = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds(),
            }
        );

    private static (int Status, string Code) Refusal((int Status, string Code, string Message) answer) => (answer.Status, answer.Code);

    private async Task<string> CreateKeyAsync(string scopes = "{deploy}", string? name = null, string options = "{}")
    {
        await using var command = sidecar.Database.Owner.CreateCommand("select functions.create_api_key($1, $2::text[], $3::jsonb)");
        command.Parameters.AddWithValue(name ?? NewName());
        command.Parameters.AddWithValue(scopes);
        command.Parameters.AddWithValue(options);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    private async Task ExecuteAsync(string sql, string parameter)
    {
        await using var command = sidecar.Database.Owner.CreateCommand(sql);
        command.Parameters.AddWithValue(parameter);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<bool> ExistsAsync(string function) =>
        await sidecar.Database.ScalarAsync<bool>($"select exists (select from functions.functions where name = '{function}')");

    private async Task<int> LatestVersionAsync(string function) =>
        await sidecar.Database.ScalarAsync<int>($"select max(version) from functions.versions where function = '{function}'");

    private async Task<string> DeployedByAsync(string function, int version) =>
        await sidecar.Database.ScalarAsync<string>(
            $"select deployed_by from functions.versions where function = '{function}' and version = {version}"
        );

    private Task<(int Status, string Code, string Message)> DeployAsync(
        string function,
        string? config = null,
        string? bearer = null,
        string? managementKey = null,
        HttpClient? http = null
    ) => new ManagementClient(sidecar, http).DeployAsync(function, config, bearer, managementKey);
}
