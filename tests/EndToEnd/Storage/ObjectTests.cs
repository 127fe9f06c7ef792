using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Storage;

/// <summary>
/// <c>env.STORAGE</c> in a real sidecar. Each test uses keys of its own. The expected results are those of R2 in Miniflare.
/// </summary>
public sealed class ObjectTests(SidecarFixture sidecar)
{
    private const string Large = """{"memory_mb": 256, "timeout_ms": 120000, "cpu_ms": 120000}""";

    [Fact]
    public async Task Objects_are_put_read_and_deleted_with_their_metadata()
    {
        var json = await RunAsync(
            """
            const put = await B.put("o/a", "hello ä", { httpMetadata: { contentType: "text/plain", cacheExpiry: new Date(1e12) }, customMetadata: { who: "ä" } });
            const head = await B.head("o/a");
            const got = await B.get("o/a");
            const headers = new Headers(); got.writeHttpMetadata(headers);
            const same = ["key", "version", "size", "etag", "httpEtag", "storageClass"].every((name) => put[name] === head[name] && head[name] === got[name]);
            const text = await got.text();
            const again = await got.text().catch((e) => e.message);
            await B.delete(["o/a", "o/none"]);
            return [same, text, again, got.bodyUsed, [...headers], got.customMetadata, got.range, put.range === undefined, JSON.parse(JSON.stringify(put.checksums)),
              put.checksums.md5.byteLength, Math.abs(put.uploaded - Date.now()) < 3600e3, await B.head("o/a"), await B.get("o/a")];
            """
        );
        Assert.Equal(
            """[true,"hello \u00E4","Body has already been used. It can only be used once. Use tee() first if you need to read it twice.",true,[["content-type","text/plain"],["expires","Sun, 09 Sep 2001 01:46:40 GMT"]],{"who":"\u00E4"},{"offset":0,"length":8},true,{"md5":"3b0fb4dd4b7d4f2d1a49bb5c1d8c2c70"},16,true,null,null]""".Replace(
                "3b0fb4dd4b7d4f2d1a49bb5c1d8c2c70",
                Convert.ToHexStringLower(Md5("hello ä"u8)),
                StringComparison.Ordinal
            ),
            json.ToJsonString()
        );
    }

    [Fact]
    public async Task Every_form_of_value_is_stored_as_its_bytes()
    {
        var json = await RunAsync(
            """
            const bytes = new Uint8Array([1, 2, 3, 255]);
            const values = ["text", bytes, bytes.buffer, bytes.subarray(1, 3), new DataView(bytes.buffer, 3), new Blob(["blob"]), null, "",
              new Response("response").body, new ReadableStream({ start(c) { c.enqueue(bytes); c.enqueue(bytes); c.close(); } })];
            const result = [];
            for (const value of values) { await B.put("v/x", value); result.push([...await (await B.get("v/x")).bytes()].join()); }
            return result;
            """
        );
        Assert.Equal(
            """["116,101,120,116","1,2,3,255","1,2,3,255","2,3","255","98,108,111,98","","","114,101,115,112,111,110,115,101","1,2,3,255,1,2,3,255"]""",
            json.ToJsonString()
        );
    }

    [Theory]
    [InlineData("{ offset: 2 }", "llo world 2,9")]
    [InlineData("{ length: 4 }", "hell 0,4")]
    [InlineData("{ offset: 5, length: 100 }", " world 5,6")]
    [InlineData("{ suffix: 3 }", "rld 8,3")]
    [InlineData("{ suffix: 100 }", "hello world 0,11")]
    [InlineData("new Headers({ range: 'bytes=2-4' })", "llo 2,3")]
    [InlineData("new Headers({ range: 'bytes=6-' })", "world 6,5")]
    [InlineData("new Headers({ range: 'bytes=-2' })", "ld 9,2")]
    [InlineData("new Headers({ range: 'bytes=2-4,6-7' })", "hello world 0,11")]
    [InlineData("new Headers({ range: 'lines=1' })", "hello world 0,11")]
    [InlineData("{ offset: 20 }", "PGFN5807 get: The requested range is not satisfiable (10039)")]
    [InlineData("{ offset: 11 }", "PGFN5807 get: The requested range is not satisfiable (10039)")]
    [InlineData("{ offset: 1, length: 0 }", "PGFN5807 get: The requested range is not satisfiable (10039)")]
    [InlineData("{ suffix: 0 }", "PGFN5807 get: The requested range is not satisfiable (10039)")]
    [InlineData("new Headers({ range: 'bytes=50-60' })", "hello world 0,11")]
    public async Task Ranges_are_those_of_R2(string range, string expected)
    {
        await RunAsync("return [await B.put('r/a', 'hello world')]");
        var json = await RunAsync(
            $$"""
            try { const o = await B.get("r/a", { range: {{range}} }); return [await o.text() + " " + o.range.offset + "," + o.range.length]; }
            catch (e) { return [e.code + " " + e.message]; }
            """
        );
        Assert.Equal(expected, (string?)json[0]);
    }

    [Theory]
    [InlineData("{ etagMatches: etag }", true, true)]
    [InlineData("{ etagMatches: 'other' }", false, false)]
    [InlineData("{ etagMatches: '*' }", true, false)]
    [InlineData("{ etagDoesNotMatch: etag }", false, true)]
    [InlineData("{ etagDoesNotMatch: 'other' }", true, true)]
    [InlineData("{ etagDoesNotMatch: '*' }", false, true)]
    [InlineData("{ uploadedAfter: new Date(0) }", true, false)]
    [InlineData("{ uploadedAfter: new Date(4e12) }", false, false)]
    [InlineData("{ uploadedBefore: new Date(0) }", false, true)]
    [InlineData("{ uploadedBefore: new Date(4e12) }", true, true)]
    [InlineData("{ uploadedBefore: new Date(0), etagMatches: etag }", true, false)]
    [InlineData("new Headers({ 'if-none-match': `W/\"${etag}\", \"x\"` })", false, true)]
    [InlineData("new Headers({ 'if-match': `W/\"${etag}\"` })", false, false)]
    [InlineData("new Headers({ 'if-modified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' })", true, false)]
    public async Task Conditions_are_those_of_R2(string condition, bool holds, bool holdsWithoutObject)
    {
        var json = await RunAsync(
            $$"""
            const key = "c/" + crypto.randomUUID();
            let { etag } = await B.put(key, "1");
            const onlyIf = {{condition}};
            const got = await B.get(key, { onlyIf });
            const put = await B.put(key, "2", { onlyIf });
            const content = await (await B.get(key)).text();
            await B.delete(key);
            const made = await B.put(key, "3", { onlyIf: {{condition}} });
            return ["body" in got, got.key === key, put !== null, content, made !== null];
            """
        );
        var flag = holds ? "true" : "false";
        // "etagMatches: etag" without an object never holds; the table says what does.
        Assert.Equal(
            $"""[{flag},true,{flag},"{(holds ? 2 : 1)}"]""",
            new JsonArray([.. json.AsArray().Take(4).Select(n => n!.DeepClone())]).ToJsonString()
        );
        Assert.Equal(holdsWithoutObject && !condition.StartsWith("{ etagMatches", StringComparison.Ordinal), (bool)json[4]!);
    }

    [Fact]
    public async Task Of_simultaneous_conditional_puts_one_succeeds()
    {
        var json = await RunAsync(
            """
            const first = await Promise.all(Array.from({ length: 20 }, (_, i) => B.put("s/a", "v" + i, { onlyIf: { etagDoesNotMatch: "*" } })));
            const { etag } = await B.head("s/a");
            const second = await Promise.all(Array.from({ length: 20 }, (_, i) => B.put("s/a", "w" + i, { onlyIf: { etagMatches: etag } })));
            return [first.filter((o) => o !== null).length, second.filter((o) => o !== null).length];
            """
        );
        Assert.Equal("[1,1]", json.ToJsonString());
    }

    [Theory]
    [InlineData("sha1")]
    [InlineData("sha256")]
    [InlineData("sha384")]
    [InlineData("sha512")]
    public async Task Given_checksums_are_verified_and_kept(string algorithm)
    {
        var json = await RunAsync(
            $$"""
            const value = "x".repeat(200000), hash = await crypto.subtle.digest("{{algorithm.ToUpperInvariant().Replace(
                "SHA",
                "SHA-",
                StringComparison.Ordinal
            )}}", new TextEncoder().encode(value));
            const hex = [...new Uint8Array(hash)].map((b) => b.toString(16).padStart(2, "0")).join("");
            const put = await B.put("d/{{algorithm}}", value, { {{algorithm}}: hash });
            const bad = await B.put("d/{{algorithm}}", "other", { {{algorithm}}: hex }).catch((e) => [e.code, e.message.split("\n")[0]]);
            return [JSON.parse(JSON.stringify(put.checksums)).{{algorithm}} === hex, bad, (await B.head("d/{{algorithm}}")).size];
            """
        );
        Assert.Equal(
            $"""[true,["PGFN5806","put: The {algorithm.ToUpperInvariant().Replace("SHA", "SHA-", StringComparison.Ordinal)} checksum you specified did not match what we received."],200000]""",
            json.ToJsonString()
        );
    }

    [Theory]
    [InlineData(
        "B.put('e', 5)",
        "undefined",
        "Failed to execute 'put' on 'R2Bucket': parameter 2 is not of type 'ReadableStream or ArrayBuffer or ArrayBufferView or string or Blob'."
    )]
    [InlineData("B.put('e', 'x', { md5: 'zz' })", "undefined", "MD5 is 32 hex characters, not 2")]
    [InlineData(
        "B.put('e', 'x', { md5: '0'.repeat(32), sha1: '0'.repeat(40) })",
        "undefined",
        "You cannot specify multiple hashing algorithms."
    )]
    [InlineData("B.get('x'.repeat(1025))", "PGFN5802", "get: The specified object name is not valid. (10020)")]
    [InlineData("B.put('a\\0b', 'x')", "PGFN5802", "put: The specified object name is not valid. (10020)")]
    [InlineData(
        "B.put('e', 'x', { customMetadata: { a: 'x'.repeat(2048) } })",
        "PGFN5804",
        "put: Your metadata headers exceed the maximum allowed metadata size. (10012)"
    )]
    [InlineData("B.list({ limit: 0 })", "PGFN5810", "list: MaxKeys params must be positive integer <= 1000. (10022)")]
    [InlineData("B.list({ limit: 1001 })", "PGFN5810", "list: MaxKeys params must be positive integer <= 1000. (10022)")]
    [InlineData(
        "B.get('e', { onlyIf: { etagMatches: '\"abc\"' } })",
        "undefined",
        "Conditional ETag should not be wrapped in quotes (\"abc\")."
    )]
    [InlineData(
        "B.bucket('no-such-bucket').get('a')",
        "PGFN5801",
        "get: There is no bucket 'no-such-bucket'; functions.create_bucket makes one."
    )]
    [InlineData("B.bucket('a\\0b').head('a')", "PGFN5801", "head: There is no bucket 'a\0b'; functions.create_bucket makes one.")]
    [InlineData(
        "B.delete(Array.from({ length: 1001 }, (_, i) => 'k' + i))",
        "PGFN5810",
        "delete: At most 1,000 keys can be deleted at once. (10029)"
    )]
    [InlineData(
        "B.resumeMultipartUpload('e', 'nope').uploadPart(1, 'x')",
        "PGFN5808",
        "uploadPart: The specified multipart upload does not exist. (10024)"
    )]
    [InlineData(
        "B.resumeMultipartUpload('e', 'nope').uploadPart(0, 'x')",
        "undefined",
        "Part number must be between 1 and 10000 (inclusive). Actual value was: 0"
    )]
    [InlineData("B.put('e', 'x', { storageClass: 'Nope' })", "PGFN5810", "put: The storage class is Standard or InfrequentAccess. (10029)")]
    public async Task Errors_have_the_messages_of_R2(string call, string code, string message)
    {
        var json = await RunAsync($"try {{ await {call}; return ['no error'] }} catch (e) {{ return [String(e.code), e.message] }}");
        Assert.Equal([code, message], json.AsArray().Select(text => (string?)text));
    }

    [Fact]
    public async Task Lists_have_pages_prefixes_and_what_they_are_asked_to_include()
    {
        var json = await RunAsync(
            """
            const L = B.bucket("lists");
            const keys = ["a", "x/1", "x/2", "x/y/3", "x/\u{10ffff}", "x/\u{10ffff}/9", "z", "ä", "\u{1f600}", "\uffee"];
            for (const key of keys) await L.put(key, key, { customMetadata: { key }, httpMetadata: { contentType: "text/plain" } });
            const names = (list) => [list.objects.map((o) => o.key), list.delimitedPrefixes, list.truncated, typeof list.cursor];
            const pages = []; let cursor;
            do { const page = await L.list({ delimiter: "/", limit: 2, cursor }); pages.push([page.objects.map((o) => o.key), page.delimitedPrefixes]); cursor = page.cursor; } while (cursor);
            const one = (await L.list({ prefix: "x/1", include: ["customMetadata"] })).objects[0];
            const plain = (await L.list({ prefix: "x/1" })).objects[0];
            return [names(await L.list()), names(await L.list({ prefix: "x/", delimiter: "/" })), names(await L.list({ startAfter: "x/1", limit: 1 })), pages,
              one.customMetadata, "httpMetadata" in one, "customMetadata" in plain, names(await L.list({ prefix: "none" }))];
            """,
            setup: "select functions.create_bucket('lists')"
        );
        Assert.Equal(
            """[[["a","x/1","x/2","x/y/3","x/\uDBFF\uDFFF","x/\uDBFF\uDFFF/9","z","\u00E4","\uFFEE","\uD83D\uDE00"],[],false,"undefined"],[["x/1","x/2","x/\uDBFF\uDFFF"],["x/y/","x/\uDBFF\uDFFF/"],false,"undefined"],[["x/2"],[],true,"string"],[[["a"],["x/"]],[["z","\u00E4"],[]],[["\uFFEE","\uD83D\uDE00"],[]]],{"key":"x/1"},false,false,[[],[],false,"undefined"]]""",
            json.ToJsonString()
        );
    }

    [Fact]
    public async Task Large_objects_are_streamed_through_a_small_memory()
    {
        // 40 MB through a sandbox of 24 MB.
        var json = await RunAsync(
            """
            const piece = new Uint8Array(100000); for (let i = 0; i < piece.length; i++) piece[i] = i * 7;
            let n = 0;
            const body = new ReadableStream({ pull(c) { if (n++ < 400) c.enqueue(piece.slice()); else c.close(); } });
            const put = await B.put("big/a", body, { customMetadata: { n: "400" } });
            const got = await B.get("big/a");
            let length = 0, wrong = 0;
            for await (const chunk of got.body) { for (let i = 0; i < chunk.length; i += 997) if (chunk[i] !== (((length + i) % 100000) * 7 & 255)) wrong++; length += chunk.length; }
            const part = await (await B.get("big/a", { range: { offset: 262140, length: 10 } })).bytes();
            const middle = await (await B.get("big/a", { range: { offset: 1000000, length: 300000 } })).bytes();
            return [put.size, length, wrong, [...part], middle.length, middle.every((b, i) => b === (i % 100000 * 7 & 255))];
            """,
            """{"memory_mb": 24, "timeout_ms": 120000, "cpu_ms": 120000}"""
        );
        Assert.Equal(
            $"[40000000,40000000,0,[{string.Join(',', Enumerable.Range(62140, 10).Select(i => i * 7 & 255))}],300000,true]",
            json.ToJsonString()
        );
    }

    [Fact]
    public async Task Parts_become_one_object_in_their_order()
    {
        var json = await RunAsync(
            """
            const size = 5 * 1024 * 1024;
            const u = await B.createMultipartUpload("mp/a", { customMetadata: { q: "1" }, httpMetadata: { contentType: "a/b" } });
            const p3 = await u.uploadPart(3, "tail");
            const old = await u.uploadPart(1, new Uint8Array(size).fill(9));
            const p1 = await u.uploadPart(1, new Uint8Array(size).fill(1));
            const unused = await u.uploadPart(7, "unused");
            const p2 = await B.resumeMultipartUpload("mp/a", u.uploadId).uploadPart(2, new Uint8Array(size).fill(2));
            const error = (e) => e.code + " " + e.message;
            const refused = [await u.complete([old, p2]).catch(error), await u.complete([p1, { partNumber: 9, etag: "x" }]).catch(error), await u.complete([p3, unused]).catch(error)];
            const before = await B.head("mp/a");
            const done = await u.complete([p2, p3, p1]);
            const again = await u.complete([p1]).catch(error);
            await u.abort();
            const got = await B.get("mp/a", { range: { offset: size * 2 - 2, length: 6 } });
            return [refused, before, done.size, done.etag, JSON.stringify(done.checksums), again, [...await got.bytes()], got.customMetadata, (await B.get("mp/a", { range: { offset: size - 1, length: 2 } }).then((o) => o.bytes())).join()];
            """,
            Large
        );
        var etag = Convert.ToHexStringLower(Md5([.. Md5(Filled(1)), .. Md5(Filled(2)), .. Md5("tail"u8)]));
        Assert.Equal(
            $$"""[["PGFN5809 completeMultipartUpload: One or more of the specified parts could not be found. (10025)","PGFN5809 completeMultipartUpload: One or more of the specified parts could not be found. (10025)","PGFN5809 completeMultipartUpload: Your proposed upload is smaller than the minimum allowed object size. (10011)"],null,10485764,"{{etag}}-3","{}","PGFN5808 completeMultipartUpload: The specified multipart upload does not exist. (10024)",[2,2,116,97,105,108],{"q":"1"},"1,2"]""",
            json.ToJsonString()
        );
    }

    private static byte[] Md5(ReadOnlySpan<byte> bytes)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        hash.AppendData(bytes);
        return hash.GetHashAndReset();
    }

    private static byte[] Filled(byte value) => [.. Enumerable.Repeat(value, 5 << 20)];

    private async Task<JsonNode> RunAsync(string body, string options = "{}", string? setup = null)
    {
        if (setup is not null)
            await sidecar.Database.ExecuteAsync(setup);
        var function = await sidecar.DeployAsync($"export async function handler() {{ const B = env.STORAGE; {body} }}", options);
        return (await sidecar.CallAsync(function))!;
    }
}
