namespace Functions.PgSidecar.Tests.EndToEnd;

public sealed class LogTests(SidecarFixture sidecar)
{
    [Fact]
    public async Task Log_lines_are_stored_with_level_source_and_order()
    {
        var name = await sidecar.DeployAsync(
            """
            export const handler = () => {
              console.log('one', { two: 2 });
              log.warn('three');
              console.error(new Error('four'));
              log.debug('five');
              return {};
            };
            """
        );
        await sidecar.CallAsync(name);
        await sidecar.EventuallyAsync<long>("select count(*) from functions.logs where function = $1 having count(*) = 4", name);
        var lines = await sidecar.Database.ScalarAsync<string>(
            $"select string_agg(level || ' ' || split_part(message, E'\\n', 1) || ' ' || source, '; ' order by seq) from functions.logs where function = '{name}'"
        );
        Assert.Equal(
            $"info one {{ two: 2 }} function:{name}; warn three function:{name}; error Error: four function:{name}; debug five function:{name}",
            lines
        );
    }

    [Fact]
    public async Task Uncaught_error_is_logged_with_its_stack_and_the_invocation_is_recorded_completely()
    {
        var name = await sidecar.DeployAsync(
            """
            function thrower() { throw new RangeError('too far') }
            export const handler = () => thrower();
            """
        );
        using var response = await sidecar.PostAsync(name, subject: "user-1");
        var row = await sidecar.EventuallyAsync<string>(
            """
            select concat_ws('|', version, trigger, status, error_code, error_message, user_id, role, request_id, duration_ms > 0, cpu_ms > 0, memory_peak > 0, length(trace_id))
            from functions.invocations where function = $1
            """,
            name
        );
        var requestId = Assert.Single(response.Headers.GetValues("x-request-id"));
        Assert.Equal($"1|http|threw|FUNCTION_ERROR|too far|user-1|authenticated|{requestId}|t|t|t|32", row);
        var line = await sidecar.EventuallyAsync<string>(
            "select message from functions.logs where function = $1 and level = 'error'",
            name
        );
        Assert.Contains("Uncaught RangeError: too far", line, StringComparison.Ordinal);
        Assert.Matches($@"thrower \({name}\.js:1:\d+\)", line);
    }

    [Fact]
    public async Task Too_many_lines_and_an_overlong_line_are_truncated_with_a_marker()
    {
        var name = await sidecar.DeployAsync(
            "export const handler = () => { console.log('x'.repeat(20000)); for (let i = 0; i < 5000; i++) console.log(i); return {}; };"
        );
        await sidecar.CallAsync(name);
        Assert.Equal(
            1001,
            await sidecar.EventuallyAsync<long>("select count(*) from functions.logs where function = $1 having count(*) >= 1001", name)
        );
        var first = await sidecar.Database.ScalarAsync<string>(
            $"select message from functions.logs where function = '{name}' order by seq limit 1"
        );
        Assert.EndsWith("(cut after 8192 characters)", first, StringComparison.Ordinal);
        var last = await sidecar.Database.ScalarAsync<string>(
            $"select message from functions.logs where function = '{name}' order by seq desc limit 1"
        );
        Assert.Contains("more than 1000 lines", last, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Secret_reaches_the_function_and_never_the_log_or_an_error()
    {
        const string Secret = "s3cr3t/with+odd=characters";
        var name = await sidecar.DeployAsync(
            """
            export const handler = () => {
              console.log('plain', env('STRIPE_KEY'));
              console.log({ nested: env.STRIPE_KEY }, encodeURIComponent(env('STRIPE_KEY')), btoa(env('STRIPE_KEY')));
              if (env('NAME') !== 'visible') throw new Error('no variable');
              throw new Error('failed with ' + env('STRIPE_KEY') + ' of length ' + env('STRIPE_KEY').length);
            };
            """
        );
        await sidecar.Database.ExecuteAsync($"select functions.set_env('{name}', 'NAME', 'visible')");
        await sidecar.Database.ExecuteAsync($"select functions.set_secret('{name}', 'STRIPE_KEY', '{Secret}')");
        Assert.Equal(
            0,
            await sidecar.Database.ScalarAsync<long>(
                $"select count(*) from functions_private.secrets s where s::text like '%{Secret}%' or position(convert_to('{Secret}', 'utf8') in sealed) > 0"
            )
        );

        string body;
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        do
        {
            using var response = await sidecar.PostAsync(name);
            body = await response.Content.ReadAsStringAsync(timeout.Token);
        } while (!body.Contains($"of length {Secret.Length}", StringComparison.Ordinal));
        Assert.DoesNotContain(Secret, body, StringComparison.Ordinal);
        await sidecar.EventuallyAsync<string>(
            $"select message from functions.logs where function = $1 and message like '%of length {Secret.Length}%'",
            name
        );
        var log = await sidecar.Database.ScalarAsync<string>(
            $"select string_agg(message, ' ') from functions.logs where function = '{name}'"
        );
        foreach (
            var form in new[] { Secret, Uri.EscapeDataString(Secret), Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Secret)) }
        )
            Assert.DoesNotContain(form, log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_count_invocations()
    {
        var name = await sidecar.DeployAsync(
            "export const handler = event => { if (event.body.fail) throw new Error('asked for'); return {}; };"
        );
        await sidecar.CallAsync(name);
        using (await sidecar.PostAsync(name, """{"fail":true}""")) { }
        await sidecar.EventuallyAsync<long>("select count(*) from functions.invocations where function = $1 having count(*) = 2", name);
        var metrics = await sidecar.Http.GetStringAsync("/metrics");
        Assert.Contains($"functions_invocations_total{{function=\"{name}\",status=\"succeeded\"}} 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains($"functions_errors_total{{function=\"{name}\"}} 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains($"functions_duration_seconds_count{{function=\"{name}\"}} 2\n", metrics, StringComparison.Ordinal);
    }
}
