using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Events;
using Functions.PgSidecar.Tests.EndToEnd.Storage;

namespace Functions.PgSidecar.Tests.EndToEnd.Code;

/// <summary>The code of functions in a service that speaks S3.</summary>
public sealed class CodeStorageTests(S3BucketTests.ServiceFixture service) : IClassFixture<S3BucketTests.ServiceFixture>, IAsyncLifetime
{
    private TestDatabase database = null!;
    private SidecarProcess sidecar = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        sidecar = await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await sidecar.DisposeAsync();
        await database.DisposeAsync();
    }

    [Fact]
    public async Task Nobody_deploys_code_by_writing_to_its_bucket()
    {
        await CreateAsync("attack/");
        await DeployAsync("victim", "export const handler = () => 'good';");
        await MigrateAsync("bucket");
        await DeployAsync(
            "eve",
            """
            export async function handler({ body }, env) {
              const attempts = (B, key) => ({ put: () => B.put(key, "evil"), get: () => B.get(key), head: () => B.head(key), list: () => B.list(), delete: () => B.delete(key),
                upload: () => B.createMultipartUpload(key), sign: () => B.createSignedUrl(key, { method: "PUT" }) });
              const codes = new Set();
              for (const bucket of [storage.bucket("code"), globalThis.env?.BOUND ?? storage.bucket("code")])
                for (const attempt of Object.values(attempts(bucket, body.key))) codes.add(await attempt().then(() => "done", (e) => e.code));
              if (!body.overwrite) return [...codes];
              // An operator's mistake: a bucket of functions at the same place.
              const open = storage.bucket("open"), { objects } = await open.list();
              for (const { key } of objects) await open.put(key, "export const handler = () => 'evil';");
              return objects.map((o) => o.key);
            }
            """,
            """{"verify_jwt": false, "role": "service_role", "bindings": {"BOUND": {"bucket": "code"}}}"""
        );
        var key = await database.ScalarAsync<string>("select code_key from functions_private.versions where function = 'victim'");

        Assert.Equal("""["PGFN5801"]""", await PostAsync("eve", $$"""{"key":"{{key}}"}"""));
        using (var http = new HttpClient { BaseAddress = sidecar.Url })
        {
            var path = new Uri($"/functions/v1/storage/code/{key}", UriKind.Relative);
            Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(path)).StatusCode);
            // A token that is signed rightly: whoever can read the bucket's signing key is the owner, and even that opens nothing.
            await database.ExecuteAsync("update functions_private.buckets set code = false where name = 'code'");
            var signed = await database.ScalarAsync<string>($$"""select functions.signed_url('code', '{{key}}', '{"method": "PUT"}')""");
            await database.ExecuteAsync("update functions_private.buckets set code = true where name = 'code'");
            var put = await http.PutAsync(new Uri(signed, UriKind.Relative), new StringContent("evil"));
            Assert.Equal(HttpStatusCode.Forbidden, put.StatusCode);
        }

        Assert.Equal($$"""["{{key}}"]""", await PostAsync("eve", $$"""{"key":"{{key}}","overwrite":true}"""));
        await RestartWithoutStoredProgramsAsync();
        using var called = await CallAsync("victim");
        Assert.Equal(HttpStatusCode.InternalServerError, called.StatusCode);
        var problem = await called.Content.ReadAsStringAsync();
        Assert.Contains("PGFN2425", problem, StringComparison.Ordinal);
        await sidecar.LogsAsync("can't be used");
        // With a copy in the table as well, the exchanged object is passed over.
        await DeployAsync("victim", "export const handler = () => 'good again';");
        await database.ExecuteAsync("""select functions.set_code_storage('{"bucket": "code", "prefer": "bucket"}')""");
        await MigrateAsync("both", "code_error is null");
        await PostAsync("eve", """{"key":"x","overwrite":true}""");
        await RestartWithoutStoredProgramsAsync();
        using var again = await CallAsync("victim");
        Assert.Equal("good again", await again.Content.ReadAsStringAsync());
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Killed_sidecar_loses_no_code_and_leaves_no_object_behind()
    {
        const int Functions = 10;
        await CreateAsync("killed/");
        for (var i = 0; i < Functions; i++)
            await DeployAsync($"f{i}", $"export const handler = () => {i}; // {new string('x', 300_000)}");
        await database.ExecuteAsync("select functions.migrate_code('bucket')");
        await Eventually.HoldsAsync(() => database.ScalarAsync<bool>("select count(code_bucket) > 1 from functions.versions"));
        sidecar.Kill();
        await sidecar.WaitForExitAsync();

        sidecar = await StartAsync();
        await Eventually.HoldsAsync(() =>
            database.ScalarAsync<bool>($"select count(*) = {Functions} from functions.versions where code = 'bucket' and code_move is null")
        );
        await RestartWithoutStoredProgramsAsync();
        for (var i = 0; i < Functions; i++)
        {
            using var called = await CallAsync($"f{i}");
            Assert.Equal($"{i}", await called.Content.ReadAsStringAsync());
        }

        // What the killed process was writing is removed once no writer can be at work on it.
        await database.ExecuteAsync(
            "update functions_private.code_objects set began_at = began_at - interval '1 hour'; select functions.drop('f0'); select pg_notify('functions_code', '')"
        );
        await DeployAsync(
            "list",
            "export const handler = async () => (await storage.bucket('open').list()).objects.length;",
            """{"verify_jwt": false}"""
        );
        await Eventually.HoldsAsync(async () => await PostAsync("list", "{}") == $"{Functions - 1}");
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Version_whose_bucket_is_away_waits_and_is_compiled_when_the_bucket_is_back()
    {
        Assert.SkipWhen(service.Service is null, "npm has not installed tests/EndToEnd/servers.");
        var there = new Uri(service.Service.Endpoint);
        await using var proxy = new FrozenProxy(there.Host, there.Port);
        await CreateAsync("away/", new UriBuilder(there) { Port = proxy.Port }.ToString());
        await DeployAsync("victim", "export const handler = () => 'good';");
        await MigrateAsync("bucket");
        await sidecar.DisposeAsync();
        // A version that was given up, and whose code is in the bucket alone.
        await database.ExecuteAsync(
            """
            update functions_private.functions set active_version = null;
            update functions_private.versions set status = 'failed', error = '{"message": "given up"}', engine = null, snapshot = null, ready_at = null;
            """
        );
        // Nothing listens there.
        proxy.Redirect("127.0.0.1", 1);
        sidecar = await StartAsync();
        await database.ExecuteAsync("select functions.retry_version('victim')");

        await Eventually.HoldsAsync(() =>
            database.ScalarAsync<bool>(
                """
                select status = 'pending' and v.error ->> 'message' like '%can''t be read just now%' and (v.error ->> 'postponed')::integer > 1
                from functions_private.versions v
                """
            )
        );
        await sidecar.LogsAsync("can't be compiled yet; trying again in");

        proxy.Redirect(there.Host, there.Port);
        await database.ExecuteAsync("call functions.wait_ready('victim', timeout => '2 minutes')");
        using var called = await CallAsync("victim");
        Assert.Equal("good", await called.Content.ReadAsStringAsync());
        Assert.Null(await database.ScalarAsync<string>("select error from functions.versions"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Uninstall_names_the_bucket_in_S3_whose_objects_it_leaves()
    {
        await CreateAsync("left/");
        await DeployAsync("victim", "export const handler = () => 'good';");
        await MigrateAsync("bucket");
        sidecar.Terminate();
        await sidecar.WaitForExitAsync();

        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[SidecarProcess.Executable(), "uninstall", "--force"])
            start.ArgumentList.Add(argument);
        start.Environment["DATABASE_URL"] = database.ConnectionString;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.True(process.ExitCode == 0, output + await error);
        Assert.Contains(
            $"kept 1 objects with the code of functions in the bucket {S3Service.Bucket} of {service.Service!.Endpoint.TrimEnd('/')}",
            output
        );
        Assert.Contains("prefix \"left/\": remove them there", output);
    }

    private Task<SidecarProcess> StartAsync() =>
        SidecarProcess.StartAsync(database.ConnectionString, ("PGFN_HTTP_ALLOW_NETWORKS", "127.0.0.0/8"));

    /// <summary>Makes the bucket of code, and one of functions at the same place.</summary>
    private async Task CreateAsync(string prefix, string? endpoint = null)
    {
        Assert.SkipWhen(service.Service is null, "npm has not installed tests/EndToEnd/servers.");
        var s3 = new JsonObject
        {
            ["endpoint"] = endpoint ?? service.Service.Endpoint,
            ["bucket"] = S3Service.Bucket,
            ["prefix"] = prefix,
            ["access_key_id"] = S3Service.AccessKeyId,
            ["secret_access_key"] = S3Service.SecretAccessKey,
        };
        await using var command = database.Owner.CreateCommand(
            """
            select functions.create_bucket('code', jsonb_build_object('code', true, 's3', $1::jsonb)), functions.create_bucket('open', jsonb_build_object('s3', $1::jsonb)),
                functions.set_code_storage('{"bucket": "code"}')
            """
        );
        command.Parameters.AddWithValue(s3.ToJsonString());
        await command.ExecuteNonQueryAsync();
    }

    private async Task DeployAsync(string name, string source, string options = """{"verify_jwt": false}""")
    {
        await using var deploy = database.Owner.CreateCommand("select functions.deploy($1, $2, options => $3::jsonb)");
        deploy.Parameters.AddWithValue(name);
        deploy.Parameters.AddWithValue(source);
        deploy.Parameters.AddWithValue(options);
        await deploy.ExecuteNonQueryAsync();
        await database.ExecuteAsync($"call functions.wait_ready('{name}', timeout => '2 minutes')");
    }

    /// <summary>Moves the code of the latest version of the victim.</summary>
    private async Task MigrateAsync(string target, string where = "true")
    {
        await database.ExecuteAsync($$"""select functions.migrate_code('{{target}}', '{"function": "victim"}')""");
        await Eventually.HoldsAsync(() =>
            database.ScalarAsync<bool>(
                $"select code = '{target}' and {where} from functions.versions where function = 'victim' order by version desc limit 1"
            )
        );
    }

    /// <summary>Another process, to which no stored program is of any use.</summary>
    private async Task RestartWithoutStoredProgramsAsync()
    {
        await sidecar.DisposeAsync();
        await database.ExecuteAsync("update functions_private.versions set engine = 'another'");
        sidecar = await StartAsync();
    }

    private async Task<HttpResponseMessage> CallAsync(string function, string json = "{}")
    {
        using var http = new HttpClient { BaseAddress = sidecar.Url, Timeout = TimeSpan.FromMinutes(2) };
        return await http.PostAsync(
            new Uri($"/functions/v1/invoke/{function}", UriKind.Relative),
            new StringContent(json, System.Text.Encoding.UTF8, "application/json")
        );
    }

    private async Task<string> PostAsync(string function, string json)
    {
        using var response = await CallAsync(function, json);
        return await response.Content.ReadAsStringAsync();
    }
}
