using System.Text;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Storage;

/// <summary>
/// What writers that fail, die or are overtaken leave: no half object, and nothing on the disk. In a database of its own, with a sidecar of
/// its own, because sidecars are killed and all that is stored is counted.
/// </summary>
public sealed class ReclaimTests : IAsyncLifetime
{
    /// <summary>Puts a megabyte, then waits until the table gate has a row, and goes on as the row says.</summary>
    private const string Gated = """
        export async function handler({ body }) {
          let pieces = 0;
          const stream = new ReadableStream({ async pull(c) {
            if (pieces++ < 10) return c.enqueue(new Uint8Array(100000).fill(7));
            for (;;) {
              const rows = await db.query("select then_do from gate");
              if (rows.length > 0 && rows[0].then_do === "fail") throw new Error("the source failed");
              if (rows.length > 0) return c.close();
              await new Promise((resolve) => setTimeout(resolve, 20));
            }
          } });
          return await env.STORAGE.bucket(body.bucket ?? "default").put("gated", stream).then((o) => o.size, (e) => e.code ?? e.message);
        }
        """;

    private const string Empty = """
        select not exists (select from functions_private.object_contents) and not exists (select from functions_private.object_chunks)
           and not exists (select from functions_private.object_parts) and (select coalesce(sum(bytes), 0) = 0 from functions_private.bucket_usage)
        """;

    private TestDatabase database = null!;
    private SidecarProcess sidecar = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        await database.ExecuteAsync("create table gate (then_do text); grant select on gate to authenticated");
    }

    public async ValueTask DisposeAsync()
    {
        await sidecar.DisposeAsync();
        await Eventually.HoldsAsync(() =>
            database.ScalarAsync<bool>(
                "select not exists (select from pg_replication_slots where database = current_database() and active)"
            )
        );
        await database.DisposeAsync();
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Killed_sidecar_leaves_no_half_object_and_no_chunk()
    {
        await DeployAsync("gated", Gated);
        var call = CallAsync("gated");
        await EventuallyAsync("select count(*) >= 3 from functions_private.object_chunks");
        sidecar.Kill();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => call);
        await sidecar.DisposeAsync();
        sidecar = await SidecarProcess.StartAsync(database.ConnectionString);

        Assert.False(await database.ScalarAsync<bool>("select exists (select from functions_private.objects)"));
        // As if a minute had passed.
        await database.ExecuteAsync("update functions_private.object_contents set touched_at = now() - interval '2 minutes'");
        await database.ExecuteAsync(
            "update functions_private.sidecars set seen_at = now() - interval '2 minutes' where id in (select sidecar from functions_private.object_contents)"
        );
        await EventuallyAsync(Empty);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Source_that_fails_leaves_the_present_object_and_nothing_else()
    {
        await DeployAsync("gated", Gated);
        await DeployAsync("put", "export const handler = () => storage.put('gated', 'before').then((o) => o.size)");
        Assert.Equal("6", await CallAsync("put"));
        await database.ExecuteAsync("insert into gate values ('fail')");
        Assert.Equal("the source failed", await CallAsync("gated"));
        await EventuallyAsync(
            """
            select not exists (select from functions_private.object_chunks) and (select sum(bytes) = 6 from functions_private.bucket_usage)
               and (select convert_from(data, 'UTF8') = 'before' from functions_private.objects)
            """
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Invocation_that_ends_first_leaves_nothing()
    {
        await DeployAsync("gated", Gated, """{"timeout_ms": 3000}""");
        Assert.Contains("TIMEOUT", await CallAsync("gated"), StringComparison.Ordinal);
        await EventuallyAsync(Empty);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Put_whose_chunks_are_lost_fails_and_the_present_object_stays()
    {
        await DeployAsync("gated", Gated);
        await DeployAsync("put", "export const handler = () => storage.put('gated', 'before').then((o) => o.size)");
        Assert.Equal("6", await CallAsync("put"));
        var call = CallAsync("gated");
        await EventuallyAsync("select count(*) >= 3 from functions_private.object_chunks");
        // As a crash of the server takes the last commits, for which nothing waited.
        await database.ExecuteAsync("delete from functions_private.object_chunks where ordinal = 1");
        await database.ExecuteAsync("insert into gate values ('go on')");
        Assert.Equal("PGFN5812", await call);
        Assert.Equal("before", await database.ScalarAsync<string>("select convert_from(data, 'UTF8') from functions_private.objects"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Put_that_seemed_dead_fails()
    {
        await DeployAsync("gated", Gated);
        var call = CallAsync("gated");
        await EventuallyAsync("select count(*) >= 3 from functions_private.object_chunks");
        await database.ExecuteAsync("update functions_private.object_contents set touched_at = now() - interval '2 days'");
        await EventuallyAsync(Empty);
        await database.ExecuteAsync("insert into gate values ('go on')");
        Assert.Equal("PGFN5812", await call);
        await EventuallyAsync(Empty);
        Assert.False(await database.ScalarAsync<bool>("select exists (select from functions_private.objects)"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Reader_finishes_what_is_replaced_and_deleted_meanwhile()
    {
        await DeployAsync(
            "reader",
            """
            export async function handler() {
              await storage.put("a", new Uint8Array(3000000).fill(1));
              const reader = (await storage.get("a")).body.getReader();
              let { value } = await reader.read(), length = 0, wrong = 0;
              await storage.put("a", new Uint8Array(2000000).fill(2));
              await storage.delete("a");
              for (let done = false; !done; { done, value } = await reader.read()) { length += value.length; wrong += value.filter((b) => b !== 1).length; }
              return { length, wrong, now: await storage.get("a") };
            }
            """,
            """{"memory_mb": 128, "timeout_ms": 60000, "cpu_ms": 60000}"""
        );
        Assert.Equal("""{"length":3000000,"wrong":0,"now":null}""", await CallAsync("reader"));
        Assert.Equal(
            2L,
            await database.ScalarAsync<long>("select count(*) from functions_private.object_contents where retired_at is not null")
        );
        // As if two minutes had passed, but for the one that a reader holds.
        await database.ExecuteAsync(
            """
            update functions_private.object_contents set retired_at = now() - interval '3 minutes';
            update functions_private.object_contents set read_until = now() + interval '1 hour' where size = 3000000
            """
        );
        await EventuallyAsync("select count(*) = 1 and min(size) = 3000000 from functions_private.object_contents");
        await database.ExecuteAsync("update functions_private.object_contents set read_until = now()");
        await EventuallyAsync(Empty);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Abandoned_uploads_and_parts_that_were_not_used_are_removed()
    {
        await DeployAsync(
            "parts",
            """
            export async function handler() {
              const abandoned = await storage.createMultipartUpload("abandoned"), used = await storage.createMultipartUpload("used");
              await abandoned.uploadPart(1, "x".repeat(300000));
              const aborted = await storage.createMultipartUpload("aborted");
              await aborted.uploadPart(1, "x"); await aborted.abort();
              await used.uploadPart(1, "replaced"); const part = await used.uploadPart(1, "used"); await used.uploadPart(2, "not used");
              return (await used.complete([part])).size;
            }
            """
        );
        Assert.Equal("4", await CallAsync("parts"));
        await database.ExecuteAsync("update functions_private.object_uploads set began_at = now() - interval '8 days'");
        await EventuallyAsync("select not exists (select from functions_private.object_uploads)");
        await database.ExecuteAsync(
            "update functions_private.object_contents set retired_at = now() - interval '3 minutes' where retired_at is not null"
        );
        await EventuallyAsync(
            """
            select (select count(*) = 1 and sum(size) = 4 from functions_private.object_contents) and (select count(*) = 1 from functions_private.object_chunks)
               and (select sum(bytes) = 4 from functions_private.bucket_usage)
            """
        );
        Assert.Equal(1L, await database.ScalarAsync<long>("select functions.clear_bucket('default')"));
        await database.ExecuteAsync("update functions_private.object_contents set retired_at = now() - interval '3 minutes'");
        await EventuallyAsync(Empty);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Limits_of_a_bucket_and_of_an_object_hold_while_bytes_arrive()
    {
        await database.ExecuteAsync(
            """
            select functions.create_bucket('small', '{"max_bytes": 1000000}');
            select functions.create_bucket('short', '{"max_object_bytes": 500000}');
            """
        );
        await DeployAsync(
            "fill",
            """
            export async function handler() {
              const S = env.STORAGE.bucket("small"), T = env.STORAGE.bucket("short"), error = (e) => e.code;
              const endless = () => new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(100000)); } });
              const result = [await S.put("a", endless()).catch(error), await T.put("a", endless()).catch(error)];
              result.push((await S.put("b", new Uint8Array(600000))).size, await S.put("c", new Uint8Array(600000)).catch(error), (await S.put("c", "small")).size);
              await S.put("c", "smaller"); await S.delete("c");
              return result;
            }
            """
        );
        Assert.Equal("""["PGFN5805","PGFN5804",600000,"PGFN5805",5]""", await CallAsync("fill"));
        await EventuallyAsync("select bytes = 600000 and objects = 1 from functions.buckets where name = 'small'");
        await database.ExecuteAsync("select functions.drop_bucket('small', force => true); select functions.drop_bucket('short')");
        Assert.Contains("There is no bucket", await CallAsync("fill"), StringComparison.Ordinal);
        await database.ExecuteAsync("update functions_private.object_contents set retired_at = now() - interval '3 minutes'");
        await EventuallyAsync(Empty);
    }

    private Task EventuallyAsync(string condition) => Eventually.HoldsAsync(() => database.ScalarAsync<bool>(condition));

    private async Task DeployAsync(string name, string source, string options = """{"timeout_ms": 120000}""")
    {
        await using (var command = database.Owner.CreateCommand("select functions.deploy($1, $2, 'javascript', $3::jsonb)"))
        {
            command.Parameters.AddWithValue(name);
            command.Parameters.AddWithValue(source);
            command.Parameters.AddWithValue(options);
            await command.ExecuteNonQueryAsync();
        }
        await database.ExecuteAsync($"call functions.wait_ready('{name}', timeout => '2 minutes')");
    }

    private async Task<string> CallAsync(string function)
    {
        using var http = new HttpClient { BaseAddress = sidecar.Url, Timeout = TimeSpan.FromMinutes(3) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", Tokens.For("authenticated"));
        using var body = new StringContent("{}", Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(new Uri("/functions/v1/invoke/" + function, UriKind.Relative), body);
        return await response.Content.ReadAsStringAsync();
    }
}
