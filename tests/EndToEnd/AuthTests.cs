using System.Net;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd;

public sealed class AuthTests(SidecarFixture sidecar)
{
    private const string Alice = "11111111-1111-4111-8111-111111111111";

    private static long Soon => DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds();

    public static TheoryData<string> BadTokens { get; } =
    [
        "",
        "not.a.token",
        Tokens.Sign(new() { ["role"] = "service_role", ["exp"] = Soon }, algorithm: "none"),
        Tokens.Sign(new() { ["role"] = "service_role", ["exp"] = Soon }, secret: "another secret, just as long as it must be"),
        Tokens.Sign(new() { ["role"] = "authenticated", ["exp"] = DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeSeconds() }),
        Tokens.Sign(
            new()
            {
                ["role"] = "authenticated",
                ["nbf"] = Soon,
                ["exp"] = Soon,
            }
        ),
        Tokens.Sign(new() { ["role"] = "authenticated\"; drop role x", ["exp"] = Soon }),
        Tokens.Sign(new() { ["role"] = "authenticated", ["exp"] = Soon }, algorithm: "HS512"),
    ];

    [Theory]
    [MemberData(nameof(BadTokens))]
    public async Task Invalid_token_gets_401(string token)
    {
        var name = await sidecar.DeployAsync("export const handler = () => ({ reached: true });");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + name);
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + token);
        using var response = await sidecar.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Contains(response.Headers.WwwAuthenticate, challenge => challenge.Scheme == "Bearer");
        if (token.Length > 10)
            Assert.DoesNotContain(token, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_without_token_runs_as_anon_only_where_the_function_allows_it()
    {
        var guarded = await sidecar.DeployAsync("export const handler = () => 'reached';");
        using (var response = await sidecar.SendAsync(HttpMethod.Get, guarded, null, token: null))
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);

        var open = await sidecar.DeployAsync(
            "export const handler = async event => ({ user: event.user_id, role: (await db.query('select functions.role() as r'))[0].r });",
            """{"verify_jwt":false}"""
        );
        using (var response = await sidecar.SendAsync(HttpMethod.Get, open, null, token: null))
            Assert.Equal("""{"user":null,"role":"anon"}""", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_preflight_needs_no_token()
    {
        var name = await sidecar.DeployAsync(
            """
            export default { fetch: request => new Response(null, { status: 204, headers: { 'access-control-allow-origin': '*', 'x-method': request.method } }) };
            """
        );
        using var response = await sidecar.SendAsync(HttpMethod.Options, name, null, token: null);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal("*", Assert.Single(response.Headers.GetValues("access-control-allow-origin")));
    }

    [Fact]
    public async Task Two_Authorization_headers_are_refused()
    {
        var name = await sidecar.DeployAsync("export const handler = () => 'reached';");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + name);
        request.Headers.TryAddWithoutValidation("Authorization", ["Bearer " + Tokens.For("anon"), "Bearer " + Tokens.For("service_role")]);
        using var response = await sidecar.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    [Fact]
    public async Task Role_not_granted_to_functions_is_refused_by_the_database()
    {
        var name = await sidecar.DeployAsync("export const handler = async () => (await db.query('select current_user as me'))[0];");
        using var response = await sidecar.PostAsync(name, role: "postgres");
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.DoesNotContain("\"me\"", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Custom_role_is_refused_until_granted_and_then_has_only_its_own_rights()
    {
        var role = "clerk_" + Guid.NewGuid().ToString("n")[..8];
        await sidecar.Database.ExecuteAsync(
            $"""
            create role {role};
            create table ledger_{role} (line text);
            create table secrets_{role} (line text);
            insert into ledger_{role} values ('in the ledger');
            grant select on ledger_{role} to {role};
            """
        );
        var name = await sidecar.DeployAsync(
            $$"""
            export async function handler() {
              const code = sql => db.query(sql).then(() => null, error => error.code);
              const [who] = await db.query("select current_user as role, functions.role() as claimed, functions.uid()::text as uid");
              const rows = await db.query('select line from ledger_{{role}}');
              return { ...who, line: rows[0].line, secret: await code('select * from secrets_{{role}}'), leave: await code('set role service_role') };
            }
            """
        );
        using (var refused = await sidecar.PostAsync(name, role: role))
            Assert.False(refused.IsSuccessStatusCode);

        await sidecar.Database.ExecuteAsync($"select functions.grant_role('{role}')");
        try
        {
            var answer = await GrantedAsync(name, role);
            Assert.Equal((role, role, "in the ledger"), ((string)answer["role"]!, (string)answer["claimed"]!, (string)answer["line"]!));
            Assert.Equal(Alice, (string)answer["uid"]!);
            Assert.Equal("42501", (string)answer["secret"]!);
            Assert.NotNull(answer["leave"]);
        }
        finally
        {
            // Roles belong to the cluster, not to the database of the test.
            await sidecar.Database.ExecuteAsync(
                $"delete from functions_private.roles where role = '{role}'; drop owned by {role}, pgfn_{role}; drop role pgfn_{role}, {role}"
            );
        }
    }

    /// <summary>The response, once the sidecar has been notified of the grant.</summary>
    private async Task<JsonNode> GrantedAsync(string name, string role)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (true)
        {
            using var response = await sidecar.PostAsync(name, role: role, subject: Alice);
            if (response.IsSuccessStatusCode)
                return JsonNode.Parse(await response.Content.ReadAsStringAsync(timeout.Token))!;
            await timer.WaitForNextTickAsync(timeout.Token);
        }
    }

    [Fact]
    public async Task Apikey_header_carries_a_token_as_Supabase_clients_send_it()
    {
        var name = await sidecar.DeployAsync("export const handler = event => ({ user: event.user_id });");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + name);
        request.Headers.Add("apikey", Tokens.For("authenticated", "u-1"));
        using var response = await sidecar.Http.SendAsync(request);
        Assert.Equal("""{"user":"u-1"}""", await response.Content.ReadAsStringAsync());
    }
}
