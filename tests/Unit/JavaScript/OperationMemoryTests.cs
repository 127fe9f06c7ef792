using System.Text;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Arguments and results of operations are held in the memory of the host. Hostile guests must not fill it.</summary>
public sealed class OperationMemoryTests(EngineFixture fixture)
{
    private const int Megabyte = 1 << 20;

    [Fact]
    public async Task One_string_as_the_argument_of_many_operations_is_refused_beyond_64_MB()
    {
        using var program = await fixture.HandlerAsync(
            """
            async () => {
              const text = 'x'.repeat(10 * 1024 * 1024);
              const all = Array.from({ length: 8 }, () => db.query(text).then(() => 'ok', error => error.code));
              return await Promise.race(all);
            }
            """
        );
        long held = 0;
        var host = new GuestHost { OnStart = operation => Interlocked.Add(ref held, operation.Arguments.Length) };
        Assert.Equal(RunOutcome.Succeeded, (await fixture.Begin(program, host).WaitAsync(EngineFixture.Patience)).Outcome);
        Assert.Equal("\"PGFN4429\"", host.Answer);
        Assert.InRange(held, 50L * Megabyte, 64L * Megabyte);
    }

    [Fact]
    public async Task Guest_that_never_handles_its_rejections_is_stopped()
    {
        using var program = await fixture.HandlerAsync("() => { for (;;) setTimeout(() => {}, 100000); }");
        var result = await fixture.Begin(program, new GuestHost()).WaitAsync(EngineFixture.Patience);
        Assert.Equal((RunOutcome.Threw, "PGFN4429"), (result.Outcome, result.Error?.Code));
    }

    [Fact]
    public async Task Results_that_the_guest_does_not_read_are_dropped_beyond_64_MB()
    {
        using var program = await fixture.HandlerAsync(
            """
            async () => {
              const codes = await Promise.all(Array.from({ length: 8 }, () => db.query('x').then(() => 'ok', error => error.code)));
              return codes.join();
            }
            """
        );
        var result = Encoding.UTF8.GetBytes(
            $$"""{"command":"SELECT","rowCount":1,"fields":[{"name":"v","type":"text"}],"rows":[["{{new string('y', 12 * Megabyte)}}"]],"duration":1}"""
        );
        // Completed while the guest still starts operations, so that all results wait.
        var host = new GuestHost { OnStart = operation => operation.Succeed(result) };
        await fixture.Begin(program, host).WaitAsync(EngineFixture.Patience);
        Assert.Equal("\"ok,ok,ok,ok,ok,PGFN4413,PGFN4413,PGFN4413\"", host.Answer);
    }
}
