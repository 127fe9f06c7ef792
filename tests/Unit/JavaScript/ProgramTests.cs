using System.Security.Cryptography;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Programs start every run with pristine memory, survive storing, and are refused when damaged.</summary>
public sealed class ProgramTests(EngineFixture fixture)
{
    /// <summary>Changes as much state as possible, then ends as the event says.</summary>
    private const string Vandal = """
        let calls = 0;
        const kept = [];
        export const handler = async event => {
          const seen = [calls++, kept.length, globalThis.trace ?? null, [].trace ?? null, typeof JSON.parse, Object.isFrozen(Math)];
          if (event.how === 'look') return seen;
          kept.push(new Array(10000).fill(event.how));
          globalThis.trace = Array.prototype.trace = event.how;
          JSON.parse = null;
          Object.freeze(Math);
          Promise.reject(new Error('unhandled'));
          setTimeout(() => { globalThis.late = 1 }, 1e6);
          if (event.how === 'throw') throw new Error('x');
          if (event.how === 'loop') for (;;);
          if (event.how === 'memory') for (;;) kept.push(new Array(10000).fill({}));
          if (event.how === 'recursion') (function f() { f() })();
          if (event.how === 'wait') await db.query('never');
          if (event.how === 'never') await new Promise(() => {});
          return seen;
        };
        """;

    [Theory]
    [InlineData("return")]
    [InlineData("throw")]
    [InlineData("loop")]
    [InlineData("memory")]
    [InlineData("recursion")]
    [InlineData("wait")]
    [InlineData("never")]
    public async Task Every_run_begins_with_the_same_memory_regardless_of_how_the_last_one_ended(string how)
    {
        using var program = await fixture.CompileAsync(Vandal);
        var patient = EngineFixture.Limits with { MemoryBytes = 16L << 20 };
        var limits = how is "loop" or "wait" or "never" ? patient with { Timeout = TimeSpan.FromMilliseconds(100) } : patient;
        for (var i = 0; i < 3; i++)
        {
            await fixture.RunAsync(program, new GuestHost(), $$"""{"how":"{{how}}"}""", limits);
            var next = new GuestHost();
            await fixture.RunAsync(program, next, """{"how":"look"}""", patient);
            Assert.Equal("""[0,0,null,null,"function",false]""", next.Answer);
        }
        Assert.Equal(Hash(program, limits.MemoryBytes, fresh: true), Hash(program, limits.MemoryBytes, fresh: false));
    }

    [Fact]
    public async Task Random_numbers_differ_in_each_run()
    {
        using var program = await fixture.HandlerAsync("() => [Math.random(), crypto.randomUUID()].join()");
        var seen = new HashSet<string>();
        for (var i = 0; i < 20; i++)
        {
            var host = new GuestHost();
            await fixture.RunAsync(program, host);
            Assert.True(seen.Add(host.Answer!));
        }
        Assert.Equal(20, seen.Select(answer => answer.Split(',')[0]).Distinct().Count());
    }

    [Fact]
    public async Task Stored_program_runs_the_same_in_another_engine()
    {
        using var program = await fixture.CompileAsync(
            "let n = 41; const made = new Map([['x', [1, 2]]]); export const handler = event => [++n, made.get('x'), event.a];"
        );
        var bytes = fixture.Engine.Write(program);
        using var other = JavaScriptEngine.Load(JavaScriptEngine.DefaultDirectory);
        foreach (var engine in new[] { fixture.Engine, other })
        {
            using var read = engine.Read(bytes);
            Assert.Equal(program.Info.ToArray(), read.Info.ToArray());
            var host = new GuestHost();
            var envelope =
                """{"kind":"event","trigger":"test","path":"","query":{},"user_id":null,"request_id":"r","event":{"a":7},"env":{},"now":0}"""u8;
            var result = await read.RunAsync(
                    new RunRequest(envelope.ToArray(), default, EngineFixture.Limits),
                    host,
                    CancellationToken.None
                )
                .WaitAsync(EngineFixture.Patience);
            Assert.Equal(RunOutcome.Succeeded, result.Outcome);
            Assert.Equal("[42,[1,2],7]", host.Answer);
        }
    }

    [Fact]
    public async Task Bytes_of_another_engine_and_damaged_bytes_are_refused()
    {
        using var program = await fixture.HandlerAsync("() => 1");
        var bytes = fixture.Engine.Write(program);
        fixture.Engine.Read(bytes).Dispose();
        Assert.Throws<InvalidDataException>(() => fixture.Engine.Read(ReadOnlyMemory<byte>.Empty));
        for (var length = 1; length < bytes.Length; length += 1 + (bytes.Length / 40))
            Assert.Throws<InvalidDataException>(() => fixture.Engine.Read(bytes.AsMemory(0, length)));
        for (var place = 0; place < bytes.Length; place += place < 200 ? 1 : 1 + (bytes.Length / 60))
        {
            var damaged = (byte[])bytes.Clone();
            damaged[place] ^= 0x10;
            Assert.Throws<InvalidDataException>(() => fixture.Engine.Read(damaged));
        }
        // The id of the engine stands behind the magic and the version.
        var foreign = (byte[])bytes.Clone();
        foreign[5] = (byte)(foreign[5] == '0' ? '1' : '0');
        Assert.Contains(
            "another engine",
            Assert.Throws<InvalidDataException>(() => fixture.Engine.Read(foreign)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Disposed_program_lets_its_runs_finish_and_starts_no_others()
    {
        var program = await fixture.HandlerAsync("async () => (await db.query('x'))[0].v");
        var hosts = Enumerable.Range(0, 20).Select(_ => new GuestHost()).ToList();
        var runs = hosts.Select(host => fixture.Begin(program, host)).ToList();
        var operations = new List<GuestOperation>();
        foreach (var host in hosts)
            operations.Add(await host.NextAsync());
        program.Dispose();
        Assert.Equal(RunOutcome.HostError, (await fixture.RunAsync(program, new GuestHost())).Outcome);
        operations.ForEach(operation => GuestHost.Succeed(operation, "finished"));
        Assert.All(await Task.WhenAll(runs).WaitAsync(EngineFixture.Patience), result =>
            Assert.Equal(RunOutcome.Succeeded, result.Outcome)
        );
        Assert.All(hosts, host => Assert.Equal("\"finished\"", host.Answer));
        program.Dispose();
    }

    [Fact]
    public async Task Program_can_be_disposed_from_the_completion_of_its_last_run()
    {
        using var compiled = await fixture.HandlerAsync("() => new Array(50000).fill(1).length");
        var bytes = fixture.Engine.Write(compiled);
        for (var i = 0; i < 50; i++)
        {
            var program = fixture.Engine.Read(bytes);
            var ends = Enumerable.Range(0, 4).Select(_ => fixture.Begin(program, new GuestHost())).ToList();
            await Task.WhenAll(ends).WaitAsync(EngineFixture.Patience);
            program.Dispose();
            Assert.Equal(0, program.Live);
        }
    }

    [Fact]
    public async Task Run_started_after_the_engine_is_disposed_is_cancelled()
    {
        var engine = JavaScriptEngine.Load(JavaScriptEngine.DefaultDirectory);
        using var program = await engine.CompileAsync("test.js", "export const handler = () => 1", EngineFixture.Limits);
        engine.Dispose();
        var result = await program
            .RunAsync(new RunRequest("{}"u8.ToArray(), default, EngineFixture.Limits), new GuestHost(), CancellationToken.None)
            .WaitAsync(EngineFixture.Patience);
        Assert.Equal(RunOutcome.Cancelled, result.Outcome);
    }

    /// <summary>The hash of the memory that an instance begins with.</summary>
    private static unsafe string Hash(JavaScriptProgram program, long memoryBytes, bool fresh)
    {
        var image = program.Snapshot.Memory;
        if (fresh)
            return Convert.ToHexString(SHA256.HashData(new ReadOnlySpan<byte>(image.Pristine, (int)image.ByteLength)));
        var guest = program.Rent(memoryBytes);
        try
        {
            return Convert.ToHexString(SHA256.HashData(guest.Instance.Slice(0, (int)image.ByteLength)));
        }
        finally
        {
            program.Return(guest);
        }
    }
}
