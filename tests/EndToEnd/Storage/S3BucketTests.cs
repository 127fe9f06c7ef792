using System.Net;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Storage;

/// <summary>Buckets whose objects are in a service that speaks S3.</summary>
public sealed class S3BucketTests(SidecarFixture sidecar, S3BucketTests.ServiceFixture service)
    : IClassFixture<S3BucketTests.ServiceFixture>
{
    private const string Large = """{"memory_mb": 128, "timeout_ms": 120000, "cpu_ms": 120000}""";

    private static int buckets;

    [Fact]
    public async Task Objects_are_put_read_listed_and_deleted()
    {
        var json = await RunAsync(
            """
            const put = await B.put("o/ä b+c", "hello world", { httpMetadata: { contentType: "text/plain", cacheControl: "no-store", cacheExpiry: new Date(1e12) }, customMetadata: { Who: "ä" } });
            const head = await B.head("o/ä b+c"), got = await B.get("o/ä b+c"), text = await got.text();
            await B.put("o/plain", "x", { customMetadata: { a: "1" } }); await B.put("o/sub/1", ""); await B.put("p", new Uint8Array([255]));
            const list = await B.list({ prefix: "o/", delimiter: "/" });
            const pages = []; let cursor;
            do { const page = await B.list({ limit: 2, cursor }); pages.push(page.objects.map((o) => o.key)); cursor = page.cursor; } while (cursor);
            const plain = await B.head("o/plain"), empty = await (await B.get("o/sub/1")).text();
            await B.delete(["o/plain", "o/none"]);
            return [put.etag === head.etag && head.etag === got.etag, text, head.httpMetadata, head.customMetadata, JSON.stringify(head.checksums), plain.customMetadata, empty,
              list.objects.map((o) => o.key), list.delimitedPrefixes, pages, await B.head("o/plain"), await B.get("none"), (await B.list({ startAfter: "o/sub/1" })).objects.map((o) => o.key)];
            """
        );
        Assert.Equal(
            """[true,"hello world",{"contentType":"text/plain","cacheControl":"no-store","cacheExpiry":"2001-09-09T01:46:40.000Z"},{"Who":"\u00E4"},"{\u0022md5\u0022:\u00225eb63bbbe01eeed093cb22bb8f5acdc3\u0022}",{"a":"1"},"",["o/plain","o/\u00E4 b\u002Bc"],["o/sub/"],[["o/plain","o/sub/1"],["o/\u00E4 b\u002Bc","p"]],null,null,["o/\u00E4 b\u002Bc","p"]]""",
            json.ToJsonString()
        );
    }

    [Fact]
    public async Task Ranges_conditions_and_checksums_hold()
    {
        var json = await RunAsync(
            """
            const { etag } = await B.put("c", "hello world");
            const text = async (options) => { const o = await B.get("c", options); return "body" in o ? o.text() : "no body"; };
            const error = (e) => e.code;
            return [await text({ range: { offset: 2, length: 3 } }), await text({ range: { suffix: 5 } }), await B.get("c", { range: { offset: 50 } }).catch(error),
              await text({ onlyIf: { etagMatches: "x" } }), await text({ onlyIf: { etagMatches: etag } }),
              await B.put("c", "y", { onlyIf: { etagDoesNotMatch: "*" } }), await B.put("c", "y", { md5: "00".repeat(16) }).catch(error), await text(),
              (await Promise.all(Array.from({ length: 8 }, (_, i) => B.put("once", "v" + i, { onlyIf: { etagDoesNotMatch: "*" } })))).filter((o) => o !== null).length,
              (await B.put("c", "new", { onlyIf: { etagMatches: etag } })).size];
            """
        );
        Assert.Equal("""["llo","world","PGFN5807","no body","hello world",null,"PGFN5806","hello world",1,3]""", json.ToJsonString());
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Large_objects_are_streamed_and_uploads_in_parts_complete()
    {
        var json = await RunAsync(
            """
            const piece = () => new Uint8Array(1 << 20).fill(n++); let n = 0;
            const put = await B.put("big", new ReadableStream({ pull(c) { if (n < 44) c.enqueue(piece()); else c.close(); } }), { customMetadata: { a: "1" } });
            let length = 0, wrong = 0; const got = await B.get("big");
            for await (const chunk of got.body) { length += chunk.length; if (chunk[chunk.length - 1] !== (length - 1) >> 20) wrong++; }
            const failed = await B.put("failed", new ReadableStream({ pull(c) { if (n < 90) c.enqueue(piece()); else throw new Error("no more"); } })).catch((e) => e.message);
            const u = await B.createMultipartUpload("parts", { httpMetadata: { contentType: "a/b" } });
            const one = await u.uploadPart(1, new Uint8Array(5 << 20).fill(1)), two = await u.uploadPart(2, "tail");
            const wrongPart = await u.complete([{ partNumber: 1, etag: "0".repeat(32) }]).catch((e) => e.code);
            const whole = await u.complete([one, two]);
            const v = await B.createMultipartUpload("aborted"); await v.uploadPart(1, "x"); await v.abort(); await v.abort();
            return [put.size, length, wrong, got.customMetadata, failed, await B.head("failed"), wrongPart, whole.size, whole.httpMetadata, await (await B.get("parts", { range: { suffix: 5 } })).text(),
              await v.uploadPart(2, "x").catch((e) => e.code), await B.head("aborted")];
            """,
            Large
        );
        Assert.Equal(
            """[46137344,46137344,0,{"a":"1"},"no more",null,"PGFN5809",5242884,{"contentType":"a/b"},"\u0001tail","PGFN5808",null]""",
            json.ToJsonString()
        );
    }

    [Fact]
    public async Task Signed_urls_reach_the_service()
    {
        await CreateAsync("s3-urls");
        var put = await sidecar.Database.ScalarAsync<string>("""select functions.signed_url('s3-urls', 'a', '{"method": "PUT"}')""");
        using (var stored = await sidecar.Http.PutAsync(new Uri(put, UriKind.Relative), new StringContent("over http")))
            Assert.Equal(HttpStatusCode.OK, stored.StatusCode);
        var get = await sidecar.Database.ScalarAsync<string>("select functions.signed_url('s3-urls', 'a')");
        Assert.Equal("over http", await sidecar.Http.GetStringAsync(new Uri(get, UriKind.Relative)));
    }

    [Fact]
    public async Task Service_that_refuses_or_is_not_there_has_a_code_and_the_secret_is_sealed()
    {
        await CreateAsync("s3-wrong", secret: "a-wrong-secret");
        await CreateAsync("s3-away", endpoint: "http://127.0.0.1:1");
        await CreateAsync("s3-private", endpoint: "http://private.invalid");
        var json = await RunAsync(
            """
            const result = [];
            for (const name of ["s3-wrong", "s3-away", "s3-private"]) result.push(await env.STORAGE.bucket(name).put("a", "x").catch((e) => [e.code, e.message]));
            return result;
            """
        );
        Assert.All(json.AsArray(), refused => Assert.Equal("PGFN5813", (string?)refused![0]));
        Assert.DoesNotContain("a-wrong-secret", json.ToJsonString(), StringComparison.Ordinal);
        Assert.False(
            await sidecar.Database.ScalarAsync<bool>(
                "select exists (select from functions_private.buckets b where b::text like '%a-wrong-secret%') or exists (select from functions.buckets b where b::text like '%a-wrong-secret%')"
            )
        );
        // Called again without the secret, the bucket keeps it.
        await CreateAsync("s3-kept");
        await CreateAsync("s3-kept", secret: null);
        Assert.Equal("""[1]""", (await RunAsync("return [(await env.STORAGE.bucket('s3-kept').put('kept', 'x')).size]")).ToJsonString());
    }

    [Fact]
    public async Task Bucket_of_a_copy_is_held_until_it_is_adopted()
    {
        await CreateAsync("s3-held");
        await sidecar.Database.ExecuteAsync(
            "update functions_private.buckets set held = true where name = 's3-held'; select pg_notify('functions_buckets', 's3-held')"
        );
        var function = await sidecar.DeployAsync(
            "export const handler = () => env.STORAGE.bucket('s3-held').put('a', 'x').then(() => 'stored', (e) => e.code)"
        );
        await Eventually.HoldsAsync(async () => await TextAsync(function) == "PGFN5814");
        await sidecar.Database.ExecuteAsync("select functions.adopt('discard')");
        Assert.Equal("PGFN5814", await TextAsync(function));
        await sidecar.Database.ExecuteAsync(
            "update functions_private.buckets set held = true where name = 's3-held'; select functions.adopt('deliver')"
        );
        await Eventually.HoldsAsync(async () => await TextAsync(function) == "stored");
    }

    [Theory]
    [InlineData("""{"s3": true}""", "option s3 must be an object")]
    [InlineData("""{"s3": {"endpoint": "https://a.example", "bucket": "b", "access_key_id": "k"}}""", "option s3 needs secret_access_key")]
    [InlineData(
        """{"s3": {"endpoint": "ftp://a.example", "bucket": "b", "access_key_id": "k", "secret_access_key": "s"}}""",
        "must be a URL with http or https"
    )]
    [InlineData(
        """{"owner": true, "s3": {"endpoint": "https://a.example", "bucket": "b", "access_key_id": "k", "secret_access_key": "s"}}""",
        "option owner can't be used with s3"
    )]
    [InlineData(
        """{"max_bytes": 100000000, "s3": {"endpoint": "https://a.example", "bucket": "b", "access_key_id": "k", "secret_access_key": "s"}}""",
        "option max_bytes can't be used with s3"
    )]
    public async Task Invalid_options_say_what_is_wrong(string options, string reason)
    {
        var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() =>
            sidecar.Database.ExecuteAsync($"select functions.create_bucket('s3-invalid', '{options}')")
        );
        Assert.Contains(reason, refused.MessageText, StringComparison.Ordinal);
    }

    private async Task<JsonNode> RunAsync(string body, string options = "{}")
    {
        var bucket = $"s3-{Interlocked.Increment(ref buckets)}";
        await CreateAsync(bucket);
        var function = await sidecar.DeployAsync(
            $"export async function handler() {{ const B = env.STORAGE.bucket('{bucket}'); {body} }}",
            options
        );
        return (await sidecar.CallAsync(function))!;
    }

    private async Task<string> TextAsync(string function)
    {
        using var response = await sidecar.PostAsync(function);
        return await response.Content.ReadAsStringAsync();
    }

    /// <summary>Makes a bucket with a place of its own in the service.</summary>
    private async Task CreateAsync(string bucket, string? secret = S3Service.SecretAccessKey, string? endpoint = null)
    {
        Assert.SkipWhen(service.Service is null, "npm has not installed tests/EndToEnd/servers.");
        var s3 = new JsonObject
        {
            ["endpoint"] = endpoint ?? service.Service.Endpoint,
            ["bucket"] = S3Service.Bucket,
            ["prefix"] = bucket + "/",
            ["access_key_id"] = S3Service.AccessKeyId,
            ["secret_access_key"] = secret,
        };
        await using var command = sidecar.Database.Owner.CreateCommand("select functions.create_bucket($1, $2::jsonb)");
        command.Parameters.AddWithValue(bucket);
        command.Parameters.AddWithValue(new JsonObject { ["s3"] = s3 }.ToJsonString());
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>One service for all tests of the class.</summary>
    public sealed class ServiceFixture : IAsyncLifetime
    {
        /// <summary>Null if its programs are not installed.</summary>
        internal S3Service? Service { get; private set; }

        public async ValueTask InitializeAsync()
        {
            if (S3Service.IsInstalled)
                Service = await S3Service.StartAsync();
        }

        public ValueTask DisposeAsync() => Service?.DisposeAsync() ?? ValueTask.CompletedTask;
    }
}
