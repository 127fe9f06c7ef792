using System.Net;
using System.Text;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Cache;

/// <summary>
/// Reads with <c>cacheTtl</c>, answered by copies in the memory of two sidecars. Each test uses a cache of its own. That a copy answered is
/// seen by changing the row without a notification: only a copy can still have the former value.
/// </summary>
public sealed class CacheCopyTests(SidecarFixture sidecar) : IAsyncLifetime
{
    private const string Source = """
        export async function handler(event) {
          const { cache: name, key, write } = event.body;
          const KV = cache.namespace(name);
          try {
            if (write) await writes[write](KV, key);
            return { value: await KV.get(key, { cacheTtl: 3600 }) };
          } catch (e) { return { code: e.code ?? e.message }; }
        }
        const writes = {
          put: (KV, key) => KV.put(key, "new"),
          delete: (KV, key) => KV.delete(key),
          increment: (KV, key) => KV.increment(key, 5),
          swap: async (KV, key) => { if (!await KV.compareAndSet(key, await KV.get(key), "new")) throw new Error("not swapped"); },
          claim: (KV, key) => KV.getOrSet(key, () => "new"),
        };
        """;

    private string cache = null!;
    private string function = null!;
    private SidecarProcess second = null!;
    private HttpClient other = null!;

    public async ValueTask InitializeAsync()
    {
        cache = "copied-" + Guid.NewGuid().ToString("N");
        await sidecar.Database.ExecuteAsync($"select functions.create_cache('{cache}')");
        function = await sidecar.DeployAsync(Source);
        second = await SidecarProcess.StartAsync(sidecar.Database.ConnectionString);
        other = new HttpClient { BaseAddress = second.Url };
    }

    public async ValueTask DisposeAsync()
    {
        other.Dispose();
        await second.DisposeAsync();
        await sidecar.Database.ExecuteAsync($"select functions.drop_cache('{cache}')");
    }

    [Theory]
    [Trait("Speed", "Slow")]
    [InlineData("put", """{"value":"new"}""")]
    [InlineData("delete", """{"value":null}""")]
    [InlineData("increment", """{"value":"12"}""")]
    [InlineData("swap", """{"value":"new"}""")]
    public async Task Writer_sees_its_own_write_and_other_sidecars_soon_after(string write, string answer)
    {
        foreach (var (writer, reader) in new[] { (sidecar.Http, other), (other, sidecar.Http) })
        {
            await CopyAsync(writer);
            await CopyAsync(reader);
            await StoreUnseenAsync("7");
            Assert.Equal(answer, await CallAsync(writer, write));
            await Eventually.HoldsAsync(async () => await CallAsync(reader) == answer);
        }
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Absence_is_copied_until_somebody_stores_a_value()
    {
        await CopyAsync(other);
        Assert.Equal("""{"value":null}""", await CallAsync(sidecar.Http, "delete"));
        await Eventually.HoldsAsync(async () => await CallAsync(other) == """{"value":null}""");
        await StoreUnseenAsync("unseen");
        Assert.Equal("""{"value":null}""", await CallAsync(other));
        await sidecar.Database.ExecuteAsync($"delete from functions_private.cache_entries where cache = '{cache}'");

        Assert.Equal("""{"value":"new"}""", await CallAsync(sidecar.Http, "claim"));
        await Eventually.HoldsAsync(async () => await CallAsync(other) == """{"value":"new"}""");
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Copy_is_not_used_after_its_value_has_expired()
    {
        await CopyAsync(sidecar.Http);
        await sidecar.Database.ExecuteAsync(
            $"""
            update functions_private.cache_entries set value = 'brief', expires_at = now() + interval '5 seconds' where cache = '{cache}';
            select pg_notify('functions_cache_changes', '{cache}')
            """
        );
        await Eventually.HoldsAsync(async () => await CallAsync(sidecar.Http) == """{"value":"brief"}""");
        await StoreUnseenAsync("kept");
        await Eventually.HoldsAsync(async () => await CallAsync(sidecar.Http) == """{"value":"kept"}""");
    }

    [Theory]
    [Trait("Speed", "Slow")]
    [InlineData("select functions.clear_cache('{0}')")]
    [InlineData(
        """
            insert into functions_private.cache_entries (cache, key, value) select '{0}', 'more' || n, convert_to(repeat('x', 1000), 'UTF8')
            from generate_series(1, 100) n;
            select functions.create_cache('{0}', '{{"max_bytes": 65536}}')
            """
    )]
    public async Task Values_that_the_database_removes_are_soon_not_seen(string sql)
    {
        await CopyAsync(sidecar.Http);
        await CopyAsync(other);
        var copied = (await CallAsync(sidecar.Http), await CallAsync(other));
        await StoreUnseenAsync("present");
        await sidecar.Database.ExecuteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, sql, cache));
        await Eventually.HoldsAsync(async () => await CallAsync(sidecar.Http) != copied.Item1);
        await Eventually.HoldsAsync(async () => await CallAsync(other) != copied.Item2);
    }

    [Fact]
    public async Task Role_that_may_not_read_gets_no_copy_and_a_revoked_right_ends_soon()
    {
        await sidecar.Database.ExecuteAsync($$"""select functions.create_cache('{{cache}}', '{"read": "authenticated"}')""");
        await CopyAsync(sidecar.Http);
        Assert.Equal("""{"code":"PGFN5705"}""", await CallAsync(sidecar.Http, role: "anon"));
        Assert.StartsWith("""{"value":""", await CallAsync(sidecar.Http, role: "service_role"), StringComparison.Ordinal);

        await sidecar.Database.ExecuteAsync($$"""select functions.create_cache('{{cache}}', '{"read": "anon"}')""");
        await Eventually.HoldsAsync(async () => await CallAsync(sidecar.Http) == """{"code":"PGFN5705"}""");
        Assert.StartsWith("""{"value":""", await CallAsync(sidecar.Http, role: "anon"), StringComparison.Ordinal);

        await sidecar.Database.ExecuteAsync($"select functions.drop_cache('{cache}')");
        await Eventually.HoldsAsync(async () => await CallAsync(sidecar.Http, role: "anon") == """{"code":"PGFN5701"}""");
        await sidecar.Database.ExecuteAsync($"select functions.create_cache('{cache}')");
        await Eventually.HoldsAsync(async () => await CallAsync(sidecar.Http, role: "anon") == """{"value":null}""");
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Lost_connection_of_the_listener_drops_all_copies()
    {
        await CopyAsync(sidecar.Http);
        await CopyAsync(other);
        await StoreUnseenAsync("after");
        await sidecar.Database.ExecuteAsync(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and application_name = 'pgfn' and (query like 'listen functions%' or query = 'select 1')
            """
        );
        await Eventually.HoldsAsync(async () => await CallAsync(sidecar.Http) == """{"value":"after"}""");
        await Eventually.HoldsAsync(async () => await CallAsync(other) == """{"value":"after"}""");
        // Copies are made again.
        await CopyAsync(sidecar.Http);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Writers_notify_only_of_announced_groups_and_never_with_the_key()
    {
        await using var connection = await sidecar.Database.Owner.OpenConnectionAsync();
        var payloads = new List<string>();
        connection.Notification += (_, notification) => payloads.Add(notification.Payload);
        await ExecuteAsync("listen functions_cache_changes");

        await CallAsync(sidecar.Http, "put", "uncopied-secret");
        await ExecuteAsync("notify functions_cache_changes, 'first'");
        Assert.DoesNotContain(payloads, payload => payload.StartsWith(cache, StringComparison.Ordinal));

        await CopyAsync(other);
        payloads.Clear();
        await CallAsync(sidecar.Http, "put");
        while (!payloads.Exists(payload => payload.StartsWith(cache + ' ', StringComparison.Ordinal)))
            await connection.WaitAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain(payloads, payload => payload.Contains("key", StringComparison.Ordinal));

        async Task ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>Stores values without a notification until a read does not see the present one: a copy answers.</summary>
    private async Task CopyAsync(HttpClient reader)
    {
        var count = 0;
        await Eventually.HoldsAsync(async () =>
        {
            await StoreUnseenAsync($"unseen {++count}");
            var answer = await CallAsync(reader);
            return answer.StartsWith("""{"value":""", StringComparison.Ordinal) && answer != $$"""{"value":"unseen {{count}}"}""";
        });
    }

    private Task StoreUnseenAsync(string value) =>
        sidecar.Database.ExecuteAsync(
            $"""
            insert into functions_private.cache_entries (cache, key, value) values ('{cache}', 'the key', convert_to('{value}', 'UTF8'))
            on conflict (cache, key) do update set value = excluded.value, expires_at = null
            """
        );

    private async Task<string> CallAsync(HttpClient http, string? write = null, string key = "the key", string role = "authenticated")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/functions/v1/invoke/" + function, UriKind.Relative));
        request.Headers.Authorization = new("Bearer", Tokens.For(role, null));
        var body = System.Text.Json.JsonSerializer.Serialize(
            new
            {
                cache,
                key,
                write,
            }
        );
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        return text;
    }
}
