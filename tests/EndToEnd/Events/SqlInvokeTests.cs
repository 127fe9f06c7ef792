using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary><c>functions.invoke</c> and <c>functions.call</c>.</summary>
public sealed class SqlInvokeTests(SidecarFixture sidecar)
{
    private const string Echo = """
        export async function handler(event) {
          if (event.payload.fail) throw new Error('as asked');
          const [who] = await db.query('select current_user as role');
          return { got: event.payload, trigger: event.trigger, attempt: event.attempt, role: who.role };
        }
        """;

    [Fact]
    public async Task Invoked_function_runs_after_the_commit_and_its_result_can_be_read()
    {
        var function = await sidecar.DeployAsync(Echo);
        var id = await sidecar.Database.ScalarAsync<Guid>($$"""select functions.invoke('{{function}}', '{"n": 1}')""");
        Assert.Equal(
            """{"got":{"n":1},"trigger":"invoke","attempt":1,"role":"service_role"}""",
            await sidecar.EventuallyAsync<string>("select result::text from functions.results where id = $1 and status = 'succeeded'", id)
        );
        await sidecar.Database.ExecuteAsync($$"""begin; select functions.invoke('{{function}}', '{"n": 2}'); rollback""");
        Assert.Equal(1, await sidecar.Database.ScalarAsync<long>($"select count(*) from functions.events where function = '{function}'"));
    }

    [Fact]
    public async Task Idempotency_key_invokes_once()
    {
        var function = await sidecar.DeployAsync(Echo);
        var ids = new HashSet<Guid>();
        for (var i = 0; i < 3; i++)
            ids.Add(
                await sidecar.Database.ScalarAsync<Guid>(
                    $$$"""select functions.invoke('{{{function}}}', '{}', '{"idempotency_key": "k"}')"""
                )
            );
        Assert.Single(ids);
        Assert.Equal(1, await sidecar.Database.ScalarAsync<long>($"select count(*) from functions.events where function = '{function}'"));
    }

    [Fact]
    public async Task Invocation_can_be_delayed()
    {
        var function = await sidecar.DeployAsync(Echo);
        var late = await sidecar.Database.ScalarAsync<Guid>(
            $$$"""select functions.invoke('{{{function}}}', '{}', '{"delay_ms": 3600000}')"""
        );
        var soon = await sidecar.Database.ScalarAsync<Guid>($$$"""select functions.invoke('{{{function}}}', '{}', '{"delay_ms": 300}')""");
        await sidecar.EventuallyAsync<string>("select status from functions.results where id = $1", soon);
        Assert.Equal("pending", await sidecar.Database.ScalarAsync<string>($"select status from functions.events where id = '{late}'"));
        Assert.True(
            await sidecar.Database.ScalarAsync<bool>(
                $"select run_at > now() + interval '50 minutes' from functions.events where id = '{late}'"
            )
        );
    }

    [Theory]
    [InlineData("select functions.invoke('no-such-function')", "There is no function named")]
    [InlineData("select functions.invoke(null)", "There is no function named")]
    [InlineData("select functions.invoke('$f', '{}', '{\"colour\": 1}')", "unknown option")]
    [InlineData("select functions.invoke('$f', '{}', '{\"delay_ms\": -1}')", "delay_ms must be")]
    [InlineData("select functions.invoke('$f', '{}', '{\"role\": \"postgres\"}')", "functions may not run as")]
    [InlineData("set role authenticated; select functions.invoke('$f')", "permission denied")]
    [InlineData("set role service_role; select functions.invoke('$f', '{}', '{\"role\": \"anon\"}')", "for the owner")]
    public async Task Invalid_invocations_fail_at_once(string sql, string reason)
    {
        var function = await sidecar.DeployAsync(Echo);
        await using var connection = new NpgsqlConnection(sidecar.Database.ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql.Replace("$f", function, StringComparison.Ordinal), connection);
        Assert.Contains(
            reason,
            (await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync())).MessageText,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Call_waits_and_returns_the_result_or_raises()
    {
        var function = await sidecar.DeployAsync(Echo);
        await using var connection = await sidecar.Database.Owner.OpenConnectionAsync();
        await using var call = new NpgsqlCommand($$"""call functions.call('{{function}}', '{"n": 3}', null)""", connection);
        Assert.Equal("""{"got": {"n": 3}, "role": "service_role", "attempt": 1, "trigger": "invoke"}""", await call.ExecuteScalarAsync());
        await using var failing = new NpgsqlCommand($$"""call functions.call('{{function}}', '{"fail": true}', null)""", connection);
        var failure = await Assert.ThrowsAsync<PostgresException>(() => failing.ExecuteNonQueryAsync());
        Assert.Contains("as asked", failure.MessageText, StringComparison.Ordinal);
        Assert.Equal(
            1,
            await sidecar.Database.ScalarAsync<int>($"select attempts from functions.dead_letters where function = '{function}'")
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Events_of_a_disabled_function_wait_and_those_of_a_dropped_one_become_dead_letters()
    {
        var function = await sidecar.DeployAsync(Echo);
        await sidecar.Database.ExecuteAsync($"select functions.disable('{function}')");
        var id = await sidecar.Database.ScalarAsync<Guid>($"select functions.invoke('{function}')");
        Assert.Equal("pending", await sidecar.Database.ScalarAsync<string>($"select status from functions.events where id = '{id}'"));
        await sidecar.Database.ExecuteAsync($"select functions.drop('{function}')");
        Assert.Equal(
            "FUNCTION_NOT_FOUND",
            await sidecar.EventuallyAsync<string>("select error_code from functions.dead_letters where id = $1", id)
        );
    }
}
