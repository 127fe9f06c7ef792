using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Storage;

/// <summary>Who may do what with the objects of a bucket.</summary>
public sealed class BucketRightsTests(SidecarFixture sidecar)
{
    private const string Attempt = """
        export async function handler(event) {
          const B = env.STORAGE.bucket(event.body.bucket), { key } = event.body, result = {};
          for (const [name, call] of Object.entries({ put: () => B.put(key, "x"), get: () => B.get(key), head: () => B.head(key), list: () => B.list({ prefix: key }),
            delete: () => B.delete(key), upload: () => B.createMultipartUpload(key), sign: () => B.createSignedUrl(key), signPut: () => B.createSignedUrl(key, { method: "PUT" }) })) {
            try { const value = await call(); result[name] = value === null ? "null" : "ok"; } catch (e) { result[name] = e.code; }
          }
          return result;
        }
        """;

    private const string AllOk =
        """{"put":"ok","get":"ok","head":"ok","list":"ok","delete":"ok","upload":"ok","sign":"ok","signPut":"ok"}""";

    private const string AllRefused =
        """{"put":"PGFN5803","get":"PGFN5803","head":"PGFN5803","list":"PGFN5803","delete":"PGFN5803","upload":"PGFN5803","sign":"PGFN5803","signPut":"PGFN5803"}""";

    [Fact]
    public async Task Policies_give_rights_by_role_prefix_and_user()
    {
        await sidecar.Database.ExecuteAsync(
            """
            select functions.create_bucket('policies', '{"policies": [
              {"role": "authenticated", "prefix": "users/{sub}/", "rights": ["read", "write", "list", "delete"]},
              {"role": "authenticated", "prefix": "shared/", "rights": ["read", "list"]}, {"role": "anon", "prefix": "shared/", "rights": "read"}]}')
            """
        );
        var function = await sidecar.DeployAsync(Attempt, """{"verify_jwt": false}""");
        Assert.Equal(AllOk, await TryAsync(function, "policies", "users/ada/a", "authenticated", "ada"));
        Assert.Equal(AllRefused, await TryAsync(function, "policies", "users/ada/a", "authenticated", "eve"));
        Assert.Equal(AllRefused, await TryAsync(function, "policies", "users/ada", "authenticated", "ada"));
        Assert.Equal(AllRefused, await TryAsync(function, "policies", "users//a", "authenticated", null));
        Assert.Equal(AllRefused, await TryAsync(function, "policies", "users/ada/eve/a", "authenticated", "ada/eve"));
        Assert.Equal(AllRefused, await TryAsync(function, "policies", "", "authenticated", "ada"));
        Assert.Equal(AllOk, await TryAsync(function, "policies", "users/ada/a", "service_role", null));
        Assert.Equal(
            """{"put":"PGFN5803","get":"null","head":"null","list":"ok","delete":"PGFN5803","upload":"PGFN5803","sign":"ok","signPut":"PGFN5803"}""",
            await TryAsync(function, "policies", "shared/a", "authenticated", "ada")
        );
        Assert.Equal(
            """{"put":"PGFN5803","get":"null","head":"null","list":"PGFN5803","delete":"PGFN5803","upload":"PGFN5803","sign":"ok","signPut":"PGFN5803"}""",
            await TryAsync(function, "policies", "shared/a", "anon", null)
        );
        await sidecar.Database.ExecuteAsync(
            """select functions.create_bucket('policies', '{"policies": [{"role": "anon", "rights": "list"}]}')"""
        );
        await Eventually.HoldsAsync(async () => await TryAsync(function, "policies", "users/ada/a", "authenticated", "ada") == AllRefused);
    }

    [Fact]
    public async Task Objects_of_an_owners_bucket_are_seen_and_changed_by_their_owner_only()
    {
        await sidecar.Database.ExecuteAsync("""select functions.create_bucket('owned', '{"owner": true}')""");
        var function = await sidecar.DeployAsync(
            """
            export async function handler({ body }) {
              const B = env.STORAGE.bucket("owned");
              try {
                const value = await steps[body.run](B, body);
                return [value ?? null];
              } catch (e) { return [e.code ?? e.message]; }
            }
            const steps = {
              put: (B) => B.put("a", "ada's").then((o) => o.size),
              get: (B) => B.get("a").then((o) => o?.text()),
              condition: (B) => B.put("a", "eve's", { onlyIf: { etagDoesNotMatch: "*" } }).then((o) => o?.size),
              list: (B) => B.list().then((l) => l.objects.map((o) => o.key).join()),
              delete: (B) => B.delete("a"),
              begin: (B) => B.createMultipartUpload("mp").then((u) => u.uploadId),
              part: (B, { id }) => B.resumeMultipartUpload("mp", id).uploadPart(1, "x").then((p) => p.etag),
              complete: (B, { id, etag }) => B.resumeMultipartUpload("mp", id).complete([{ partNumber: 1, etag }]).then((o) => o.size),
              abort: (B, { id }) => B.resumeMultipartUpload("mp", id).abort(),
            };
            """
        );
        Assert.Equal("5", await RunAsync("put", "ada"));
        Assert.Equal("ada's", await RunAsync("get", "ada"));
        Assert.Equal("", await RunAsync("get", "eve"));
        Assert.Equal("PGFN5803", await RunAsync("get", null));
        Assert.Equal("PGFN5803", await RunAsync("put", "eve"));
        Assert.Equal("PGFN5803", await RunAsync("condition", "eve"));
        Assert.Equal("", await RunAsync("list", "eve"));
        Assert.Equal("a", await RunAsync("list", "ada"));
        Assert.Equal("", await RunAsync("delete", "eve"));
        Assert.Equal("ada's", await RunAsync("get", "ada"));
        Assert.Equal("ada's", await RunAsync("get", null, "service_role"));
        var id = await RunAsync("begin", "ada");
        Assert.Equal("PGFN5808", await RunAsync("part", "eve", id: id));
        var etag = await RunAsync("part", "ada", id: id);
        Assert.Equal("PGFN5808", await RunAsync("complete", "eve", id: id, etag: etag));
        Assert.Equal("", await RunAsync("abort", "eve", id: id));
        Assert.Equal("1", await RunAsync("complete", "ada", id: id, etag: etag));
        Assert.Equal("a,mp", await RunAsync("list", "ada"));
        Assert.Equal("", await RunAsync("list", "eve"));

        async Task<string> RunAsync(string run, string? subject, string role = "authenticated", string id = "", string etag = "")
        {
            var body = new JsonObject
            {
                ["run"] = run,
                ["id"] = id,
                ["etag"] = etag,
            };
            return (await sidecar.CallAsync(function, body.ToJsonString(), role, subject))![0]?.ToString() ?? "";
        }
    }

    [Theory]
    [InlineData("select * from functions_private.objects")]
    [InlineData("select signing_key from functions_private.buckets")]
    [InlineData("select * from functions_private.object_chunks")]
    [InlineData("select functions.create_bucket('mine')")]
    [InlineData("select functions.clear_bucket('default')")]
    [InlineData("select functions.signed_url('default', 'a')")]
    [InlineData("select functions_private.delete_objects('default', '{a}', null)")]
    public async Task Statements_of_functions_reach_no_bucket(string sql)
    {
        foreach (var role in new[] { "authenticated", "service_role" })
        {
            var function = await sidecar.DeployAsync($"export const handler = () => db.query(`{sql}`).then(() => 'done', (e) => e.code)");
            using var response = await sidecar.PostAsync(function, "{}", role);
            Assert.Equal("42501", await response.Content.ReadAsStringAsync());
        }
    }

    [Theory]
    [InlineData("select functions.create_bucket('Bad Name')", "is not a bucket name")]
    [InlineData("select functions.create_bucket('b', '[]')", "options must be a JSON object")]
    [InlineData("select functions.create_bucket('b', '{\"publik\": true}')", "unknown option \"publik\"")]
    [InlineData("select functions.create_bucket('b', '{\"public\": 1}')", "option public must be true or false")]
    [InlineData("select functions.create_bucket('b', '{\"max_bytes\": 1}')", "from 65536")]
    [InlineData(
        "select functions.create_bucket('b', '{\"policies\": [{\"role\": \"postgres\", \"rights\": \"read\"}]}')",
        "functions may not run as"
    )]
    [InlineData(
        "select functions.create_bucket('b', '{\"policies\": [{\"role\": \"anon\", \"rights\": [\"own\"]}]}')",
        "must be some of read"
    )]
    [InlineData("select functions.create_bucket('b', '{\"policies\": [{\"role\": \"anon\"}]}')", "must be some of read")]
    [InlineData("select functions.drop_bucket('default')", "part of every installation")]
    [InlineData("select functions.drop_bucket('no-such-bucket')", "There is no bucket")]
    [InlineData("select functions.signed_url('default', 'a/../b')", "can't be the key")]
    [InlineData("select functions.signed_url('default', 'a', '{\"method\": \"DELETE\"}')", "option method must be")]
    [InlineData("select functions.signed_url('no-such-bucket', 'a')", "There is no bucket")]
    public async Task Invalid_calls_say_what_is_wrong(string sql, string reason)
    {
        var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() => sidecar.Database.ExecuteAsync(sql));
        Assert.Contains(reason, refused.MessageText, StringComparison.Ordinal);
    }

    private async Task<string> TryAsync(string function, string bucket, string key, string role, string? subject)
    {
        var body = new JsonObject { ["bucket"] = bucket, ["key"] = key };
        return (await sidecar.CallAsync(function, body.ToJsonString(), role, subject))!.ToJsonString();
    }
}
