using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Storage;

/// <summary>Objects over HTTP: by signed URLs, and of public buckets.</summary>
public sealed class SignedUrlTests(SidecarFixture sidecar)
{
    [Theory]
    [InlineData("h/plain.txt")]
    [InlineData("h/ä ö/\U0001f600?#%&+=;:@.txt")]
    [InlineData("h/percent%2Fslash%00")]
    [InlineData("h//double/ trailing ")]
    [InlineData("h/line\nbreak")]
    [InlineData("h/...")]
    public async Task What_is_uploaded_is_downloaded_whatever_the_key(string key)
    {
        var upload = await SignAsync(key, """{"method": "PUT", "content_type": "text/plain"}""");
        using var put = await PutAsync(upload, "hello ä", "text/plain");
        Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        var answer = JsonNode.Parse(await put.Content.ReadAsStringAsync())!;
        Assert.Equal((key, 8), ((string?)answer["key"], (int)answer["size"]!));

        using var get = await GetAsync(await SignAsync(key, "{}"));
        Assert.Equal("hello ä", await get.Content.ReadAsStringAsync());
        Assert.Equal("text/plain", get.Content.Headers.ContentType!.MediaType);
        Assert.Equal($"\"{answer["etag"]}\"", get.Headers.ETag!.Tag);
        Assert.NotNull(get.Content.Headers.LastModified);
        Assert.Equal("nosniff", Assert.Single(get.Headers.GetValues("X-Content-Type-Options")));
        Assert.True(get.Headers.CacheControl!.Private);
    }

    [Fact]
    public async Task Function_signs_urls_by_which_others_upload_and_download()
    {
        var function = await sidecar.DeployAsync(
            """
            export const handler = async ({ body }) => [await storage.createSignedUrl("f/a b", { method: "PUT", expiresIn: 60, maxBytes: 10, contentType: "image/png" }),
              await storage.createSignedUrl("f/a b", { download: "my photo ä.png" })]
            """
        );
        var urls = (await sidecar.CallAsync(function))!;
        using (var wrong = await PutAsync((string)urls[0]!, "x", "text/html"))
            Assert.Equal((HttpStatusCode.UnsupportedMediaType, "STORAGE_TYPE_REFUSED"), (wrong.StatusCode, await CodeAsync(wrong)));
        using (var large = await PutAsync((string)urls[0]!, "eleven bytes", "image/png"))
            Assert.Equal((HttpStatusCode.RequestEntityTooLarge, "PAYLOAD_TOO_LARGE"), (large.StatusCode, await CodeAsync(large)));
        using (var unsized = await PutAsync((string)urls[0]!, Unsized("eleven bytes", "image/png")))
            Assert.Equal((HttpStatusCode.RequestEntityTooLarge, "PAYLOAD_TOO_LARGE"), (unsized.StatusCode, await CodeAsync(unsized)));
        using (var missing = await GetAsync((string)urls[1]!))
            Assert.Equal((HttpStatusCode.NotFound, "STORAGE_NOT_FOUND"), (missing.StatusCode, await CodeAsync(missing)));
        // Neither the headers of the chunks nor anything else but the object counts.
        using (var unsized = await PutAsync((string)urls[0]!, Unsized("ten bytes!", "image/png")))
            Assert.Equal(HttpStatusCode.OK, unsized.StatusCode);
        using (var put = await PutAsync((string)urls[0]!, "ten bytes!", "image/png"))
            Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        using var get = await GetAsync((string)urls[1]!);
        Assert.Equal("ten bytes!", await get.Content.ReadAsStringAsync());
        Assert.Equal("my photo ä.png", get.Content.Headers.ContentDisposition!.FileNameStar);
        using var head = await sidecar.Http.SendAsync(new HttpRequestMessage(HttpMethod.Head, (string)urls[1]!));
        Assert.Equal((HttpStatusCode.OK, 10L), (head.StatusCode, head.Content.Headers.ContentLength));
    }

    [Fact]
    public async Task Token_opens_only_what_it_was_signed_for()
    {
        await sidecar.Database.ExecuteAsync("select functions.create_bucket('other-bucket')");
        var put = await SignAsync("t/a", """{"method": "PUT"}""");
        using (var stored = await PutAsync(put, "secret", "text/plain"))
            Assert.Equal(HttpStatusCode.OK, stored.StatusCode);
        var get = await SignAsync("t/a", "{}");
        var (path, token) = (get[..get.IndexOf('?')], get[get.IndexOf('?')..]);
        var expired = await ExpiredAsync("t/a");
        string[] refused =
        [
            put, // of the other method
            path.Replace("t/a", "t/b", StringComparison.Ordinal) + token,
            path.Replace("/default/", "/other-bucket/", StringComparison.Ordinal) + token,
            path.Replace("/default/", "/no-such-bucket/", StringComparison.Ordinal) + token,
            path + token + "x",
            path + token.Replace(".", "A.", StringComparison.Ordinal),
            path + "?token=",
            path + "?token=.",
            path + "?token=e30.AAAA",
            path + "?token=%00%FF.%",
            expired,
        ];
        var answers = new HashSet<string>();
        foreach (var url in refused)
        {
            using var response = await GetAsync(url);
            Assert.True(response.StatusCode == HttpStatusCode.Forbidden, url);
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
            problem.Remove("request_id");
            answers.Add(problem.ToJsonString());
        }
        Assert.Contains("STORAGE_TOKEN_INVALID", Assert.Single(answers), StringComparison.Ordinal);
        using (var write = await PutAsync(get, "mine", "text/plain"))
            Assert.Equal(HttpStatusCode.Forbidden, write.StatusCode);
        await sidecar.Database.ExecuteAsync("select functions.create_bucket('rotated')");
        var before = await SignAsync("a", "{}", "rotated");
        using (var valid = await GetAsync(before))
            Assert.Equal(HttpStatusCode.NotFound, valid.StatusCode);
        await sidecar.Database.ExecuteAsync("select functions.rotate_bucket_key('rotated')");
        await Eventually.HoldsAsync(async () =>
        {
            using var revoked = await GetAsync(before);
            return revoked.StatusCode == HttpStatusCode.Forbidden;
        });
    }

    [Fact]
    public async Task Without_a_token_only_objects_of_public_buckets_are_found()
    {
        await sidecar.Database.ExecuteAsync(
            """select functions.create_bucket('open', '{"public": true}'); select functions.create_bucket('closed')"""
        );
        foreach (var bucket in new[] { "open", "closed" })
        {
            using var put = await PutAsync(await SignAsync("a", """{"method": "PUT"}""", bucket), "public", "text/plain");
            Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        }
        using (var found = await GetAsync("/functions/v1/storage/open/a"))
        {
            Assert.Equal("public", await found.Content.ReadAsStringAsync());
            Assert.Equal("*", Assert.Single(found.Headers.GetValues("Access-Control-Allow-Origin")));
        }
        var answers = new HashSet<string>();
        foreach (
            var url in new[]
            {
                "open/b",
                "closed/a",
                "closed/b",
                "no-such-bucket/a",
                "default/a",
                "open/",
                "Open/a",
                "open/%00",
                "open/%FF",
            }
        )
        {
            using var response = await GetAsync("/functions/v1/storage/" + url);
            Assert.True(response.StatusCode == HttpStatusCode.NotFound || url == "open/%00", url);
            if (url == "open/%00")
                continue; // the server refuses it
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
            problem.Remove("request_id");
            answers.Add(problem.ToJsonString());
        }
        Assert.Single(answers);
        using var write = await PutAsync("/functions/v1/storage/open/a", "mine", "text/plain");
        Assert.Equal(HttpStatusCode.NotFound, write.StatusCode);
    }

    [Theory]
    [InlineData("GET /functions/v1/storage/open-path/x/../secret HTTP/1.1")]
    [InlineData("GET /functions/v1/storage/open-path/%2e%2e/secret HTTP/1.1")]
    [InlineData("GET /functions/v1/storage/open-path/..%2fclosed-path/secret HTTP/1.1")]
    [InlineData("GET /functions/v1/storage/open-path/../closed-path/secret HTTP/1.1")]
    public async Task Path_leads_to_no_other_object(string line)
    {
        await sidecar.Database.ExecuteAsync(
            """select functions.create_bucket('open-path', '{"public": true}'); select functions.create_bucket('closed-path')"""
        );
        foreach (var bucket in new[] { "open-path", "closed-path" })
        {
            using var put = await PutAsync(await SignAsync("secret", """{"method": "PUT"}""", bucket), "secret", "text/plain");
            Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        }
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(sidecar.Sidecar.Url.Host, sidecar.Sidecar.Url.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"{line}\r\nHost: a\r\nConnection: close\r\n\r\n"));
        using var reader = new StreamReader(client.GetStream());
        Assert.StartsWith("HTTP/1.1 404", await reader.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Range", "bytes=2-4", HttpStatusCode.PartialContent, "llo", "bytes 2-4/11")]
    [InlineData("Range", "bytes=-3", HttpStatusCode.PartialContent, "rld", "bytes 8-10/11")]
    [InlineData("Range", "bytes=6-", HttpStatusCode.PartialContent, "world", "bytes 6-10/11")]
    [InlineData("Range", "bytes=0-999", HttpStatusCode.PartialContent, "hello world", "bytes 0-10/11")]
    [InlineData("Range", "bytes=11-", HttpStatusCode.RequestedRangeNotSatisfiable, "", "bytes */11")]
    [InlineData("Range", "bytes=1-2,4-5", HttpStatusCode.OK, "hello world", null)]
    [InlineData("If-None-Match", "ETAG", HttpStatusCode.NotModified, "", null)]
    [InlineData("If-None-Match", "W/ETAG, \"x\"", HttpStatusCode.NotModified, "", null)]
    [InlineData("If-None-Match", "\"x\"", HttpStatusCode.OK, "hello world", null)]
    [InlineData("If-Match", "\"x\"", HttpStatusCode.PreconditionFailed, "STORAGE_PRECONDITION_FAILED", null)]
    [InlineData("If-Match", "ETAG", HttpStatusCode.OK, "hello world", null)]
    [InlineData("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT", HttpStatusCode.NotModified, "", null)]
    [InlineData("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", HttpStatusCode.OK, "hello world", null)]
    [InlineData(
        "If-Unmodified-Since",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        HttpStatusCode.PreconditionFailed,
        "STORAGE_PRECONDITION_FAILED",
        null
    )]
    public async Task Downloads_follow_ranges_and_conditions(
        string header,
        string value,
        HttpStatusCode status,
        string content,
        string? range
    )
    {
        using var put = await PutAsync(await SignAsync("c/a", """{"method": "PUT"}"""), "hello world", "text/plain");
        using var request = new HttpRequestMessage(HttpMethod.Get, await SignAsync("c/a", "{}"));
        request.Headers.TryAddWithoutValidation(header, value.Replace("ETAG", put.Headers.ETag!.Tag, StringComparison.Ordinal));
        using var response = await sidecar.Http.SendAsync(request);
        Assert.Equal(status, response.StatusCode);
        Assert.Contains(content, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(range, response.Content.Headers.ContentRange?.ToString());
        Assert.Equal("bytes", Assert.Single(response.Headers.AcceptRanges));
    }

    [Fact]
    public async Task Range_is_sent_only_if_the_object_is_still_the_same()
    {
        using var put = await PutAsync(await SignAsync("c/if-range", """{"method": "PUT"}"""), "hello world", "text/plain");
        foreach (var (tag, status) in new[] { (put.Headers.ETag!.Tag, HttpStatusCode.PartialContent), ("\"x\"", HttpStatusCode.OK) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, await SignAsync("c/if-range", "{}"));
            request.Headers.Range = new RangeHeaderValue(1, 2);
            request.Headers.IfRange = new RangeConditionHeaderValue(new EntityTagHeaderValue(tag));
            using var response = await sidecar.Http.SendAsync(request);
            Assert.Equal(status, response.StatusCode);
        }
    }

    [Theory]
    [InlineData("text/html", true)]
    [InlineData("image/svg+xml", true)]
    [InlineData("application/xhtml+xml", true)]
    [InlineData("text/xml", true)]
    [InlineData("application/javascript", true)]
    [InlineData("unknown", true)]
    [InlineData("image/png", false)]
    [InlineData("text/plain; charset=utf-8", false)]
    [InlineData("video/mp4", false)]
    public async Task What_could_run_scripts_is_stored_by_browsers_and_never_shown(string type, bool isAttachment)
    {
        var function = await sidecar.DeployAsync(
            """
            export const handler = async ({ body }) => {
              await storage.put("s/page", "<script>alert(1)</script>", { httpMetadata: { contentType: body.type, contentDisposition: 'inline; filename="page"' } });
              return [await storage.createSignedUrl("s/page")];
            }
            """
        );
        var url = (string)(await sidecar.CallAsync(function, new JsonObject { ["type"] = type }.ToJsonString()))![0]!;
        using var response = await GetAsync(url);
        Assert.Equal(isAttachment ? "attachment" : "inline", response.Content.Headers.ContentDisposition!.DispositionType);
        Assert.Equal(
            isAttachment,
            response.Headers.GetValues("Content-Security-Policy").Single().Contains("sandbox", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Upload_obeys_checksum_and_condition()
    {
        var url = await SignAsync("u/a", """{"method": "PUT"}""");
        using var wrong = Content("x", "text/plain");
        wrong.Headers.ContentMD5 = new byte[16];
        using (var refused = await PutAsync(url, wrong))
            Assert.Equal((HttpStatusCode.BadRequest, "PGFN5806"), (refused.StatusCode, await CodeAsync(refused)));
        foreach (var status in new[] { HttpStatusCode.OK, HttpStatusCode.PreconditionFailed })
        {
            using var request = new HttpRequestMessage(HttpMethod.Put, url) { Content = Content("first", "text/plain") };
            request.Headers.IfNoneMatch.Add(EntityTagHeaderValue.Any);
            using var response = await sidecar.Http.SendAsync(request);
            Assert.Equal(status, response.StatusCode);
        }
    }

    [Fact]
    public async Task Signed_upload_to_an_owners_bucket_belongs_to_who_signed_it()
    {
        await sidecar.Database.ExecuteAsync("""select functions.create_bucket('owned-urls', '{"owner": true}')""");
        var function = await sidecar.DeployAsync(
            "export const handler = ({ body }) => env.STORAGE.bucket('owned-urls').createSignedUrl('a', { method: body.method }).then((url) => ({ url }))"
        );
        var put = await UrlAsync("PUT", "ada");
        using (var stored = await PutAsync(put, "ada's", "text/plain"))
            Assert.Equal(HttpStatusCode.OK, stored.StatusCode);
        using (var others = await PutAsync(await UrlAsync("PUT", "eve"), "eve's", "text/plain"))
            Assert.Equal((HttpStatusCode.Forbidden, "PGFN5803"), (others.StatusCode, await CodeAsync(others)));
        using (var others = await GetAsync(await UrlAsync("GET", "eve")))
            Assert.Equal(HttpStatusCode.NotFound, others.StatusCode);
        using var own = await GetAsync(await UrlAsync("GET", "ada"));
        Assert.Equal("ada's", await own.Content.ReadAsStringAsync());

        async Task<string> UrlAsync(string method, string subject) =>
            (string)(await sidecar.CallAsync(function, $$"""{"method": "{{method}}"}""", "authenticated", subject))!["url"]!;
    }

    [Fact]
    public async Task Browsers_of_other_origins_may_upload()
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, await SignAsync("o/a", """{"method": "PUT"}"""));
        request.Headers.Add("Origin", "https://app.example");
        request.Headers.Add("Access-Control-Request-Method", "PUT");
        using var response = await sidecar.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Contains("PUT", response.Headers.GetValues("Access-Control-Allow-Methods").Single(), StringComparison.Ordinal);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Credentials"));
    }

    private async Task<string> SignAsync(string key, string options, string bucket = "default")
    {
        await using var command = sidecar.Database.Owner.CreateCommand("select functions.signed_url($1, $2, $3::jsonb)");
        command.Parameters.AddWithValue(bucket);
        command.Parameters.AddWithValue(key);
        command.Parameters.AddWithValue(options);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>A URL that was valid: signed as functions.signed_url does, but for a moment that has passed.</summary>
    private async Task<string> ExpiredAsync(string key)
    {
        await using var command = sidecar.Database.Owner.CreateCommand(
            """
            select '/functions/v1/storage/default/' || $1 || '?token=' || p || '.' || functions_private.base64url(functions_private.hmac_sha256(b.signing_key,
                convert_to(concat('v1', chr(10), b.name, chr(10), $1, chr(10), p), 'UTF8')))
            from functions_private.buckets b, functions_private.base64url(convert_to('{"m":"GET","e":' || floor(extract(epoch from now()))::bigint - $2 || '}', 'UTF8')) p
            where b.name = 'default'
            """
        );
        command.Parameters.AddWithValue(key);
        command.Parameters.AddWithValue(1L);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    private Task<HttpResponseMessage> GetAsync(string url) => sidecar.Http.GetAsync(new Uri(url, UriKind.Relative));

    private Task<HttpResponseMessage> PutAsync(string url, string text, string type) => PutAsync(url, Content(text, type));

    private Task<HttpResponseMessage> PutAsync(string url, HttpContent content) =>
        sidecar.Http.PutAsync(new Uri(url, UriKind.Relative), content);

    private static ByteArrayContent Content(string text, string type)
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(text));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        return content;
    }

    /// <summary>A body that does not say how long it is.</summary>
    private static StreamContent Unsized(string text, string type)
    {
        var pipe = new Pipe();
        pipe.Writer.Write(Encoding.UTF8.GetBytes(text));
        pipe.Writer.Complete();
        var content = new StreamContent(pipe.Reader.AsStream());
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        return content;
    }

    private static async Task<string?> CodeAsync(HttpResponseMessage response) =>
        (string?)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["code"];
}
