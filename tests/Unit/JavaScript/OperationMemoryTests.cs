using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>What guests ask for, and what they are given, is held in the host's memory: hostile ones must not fill it.</summary>
public sealed class OperationMemoryTests(EngineFixture fixture)
{
    private const int Megabyte = 1 << 20;

    [Fact]
    public async Task One_string_as_the_argument_of_many_operations_is_refused_beyond_64_MB()
    {
        using var program = await fixture.HandlerAsync("""
            async () => {
              const text = 'x'.repeat(10 * 1024 * 1024);
              const all = Array.from({ length: 8 }, () => db.query(text).then(() => 'ok', error => error.code));
              return await Promise.race(all);
            }
            """);
        long held = 0;
        var host = new GuestHost { OnStart = operation => Interlocked.Add(ref held, operation.Arguments.Length) };
        Assert.Equal(RunOutcome.Succeeded, (await fixture.Begin(program, host).WaitAsync(EngineFixture.Patience)).Outcome);
        Assert.Equal("\"PGFN4429\"", host.Answer);
        Assert.InRange(held, 50L * Megabyte, 64L * Megabyte);
    }

    [Fact]
    public async Task A_guest_that_never_looks_at_its_rejections_is_stopped()
    {
        using var program = await fixture.HandlerAsync("() => { for (;;) setTimeout(() => {}, 100000); }");
        var result = await fixture.Begin(program, new GuestHost()).WaitAsync(EngineFixture.Patience);
        Assert.Equal((RunOutcome.Threw, "PGFN4429"), (result.Outcome, result.Error?.Code));
    }

    [Fact]
    public async Task Results_that_a_guest_does_not_take_in_are_dropped_beyond_64_MB()
    {
        using var program = await fixture.HandlerAsync("""
            async () => {
              const codes = await Promise.all(Array.from({ length: 8 }, () => db.query('x').then(() => 'ok', error => error.code)));
              return codes.join();
            }
            """);
        var result = Encoding.UTF8.GetBytes(
            $$"""{"command":"SELECT","rowCount":1,"fields":[{"name":"v","type":"text"}],"rows":[["{{new string('y', 12 * Megabyte)}}"]],"duration":1}""");
        // Ended while the guest is still asking: all of them wait for it.
        var host = new GuestHost { OnStart = operation => operation.Succeed(result) };
        await fixture.Begin(program, host).WaitAsync(EngineFixture.Patience);
        Assert.Equal("\"ok,ok,ok,ok,ok,PGFN4413,PGFN4413,PGFN4413\"", host.Answer);
    }
}
