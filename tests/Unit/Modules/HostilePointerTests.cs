using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;
using static Functions.PgSidecar.Tests.Unit.Modules.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>Calls every import with hostile arguments. Each call returns a code and ends no module.</summary>
public sealed class HostilePointerTests
{
    private const int PageBytes = 65_536;

    /// <summary>Edges of a memory of one page, of 32 bits, and of signs.</summary>
    private static readonly int[] Edges =
    [
        0,
        1,
        2,
        3,
        8,
        16,
        64,
        1024,
        1025,
        PageBytes - 8,
        PageBytes - 4,
        PageBytes - 1,
        PageBytes,
        PageBytes + 1,
        int.MaxValue,
        int.MinValue,
        -1,
        -4,
        -8,
    ];

    public static TheoryData<string> Imports() => new(Functions().Select(static import => import.Module + "." + import.Name));

    /// <summary>Every function that deployed modules can import is called through a module, as a hostile one calls it.</summary>
    [Theory]
    [MemberData(nameof(Imports))]
    public void Import_returns_an_error_code_for_any_arguments(string import)
    {
        var (module, name) = Functions().Single(candidate => candidate.Module + "." + candidate.Name == import);
        var type = TestModule.Functions.TypeOf(module, name)!;
        var random = new Random(import.Length);
        GuestThread.Run(() =>
        {
            using var instance = NewInstance(assembler => Forward(assembler, module, name, type));
            var forward = instance.Function("forward");
            var values = new RawValue[type.Length];
            for (var call = 0; call < 3_000; call++)
            {
                // The memory is full of hostile vectors and subscriptions, too.
                if (call % 100 == 0)
                    random.NextBytes(instance.Slice(0, PageBytes));
                for (var parameter = 0; type[parameter] != ':'; parameter++)
                    values[parameter].I64 = type[parameter] == 'I' ? random.NextInt64(long.MinValue, long.MaxValue) : Choose(random);
                try
                {
                    instance.Call(forward, values);
                }
                catch (GuestException)
                {
                    // The response limit ends the guest, which may write any number of times.
                    Begin(instance);
                    continue;
                }
                AssertCode(module, name, values[0].I32);
            }
        });
    }

    [Fact]
    public void Vector_that_wraps_around_or_exceeds_memory_faults_and_writes_nothing()
    {
        GuestThread.Run(() =>
        {
            using var instance = NewInstance();
            Assert.Equal((int)Errno.Fault, WriteVectors(instance, (PageBytes - 4, 8)));
            Assert.Equal((int)Errno.Fault, WriteVectors(instance, (0, 4), (-1, 2)));
            Assert.Equal((int)Errno.Fault, WriteVectors(instance, (8, -1)));
            Assert.Equal(0, Process(instance).Output.Length);
            Assert.Equal((int)Errno.Success, WriteVectors(instance, (PageBytes, 0), (0, 4)));
            Assert.Equal(4, Process(instance).Output.Length);
        });
    }

    [Fact]
    public void Buffer_that_overlaps_its_own_vectors_reads_no_further_than_memory()
    {
        GuestThread.Run(() =>
        {
            using var instance = NewInstance();
            // The first buffer is the second vector: the event's bytes become an address and a length.
            PutVector(instance, 0, 1032, 8);
            PutVector(instance, 1, 0, 8);
            Process(instance).Input = new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 1, 2, 3 };
            Assert.Equal((int)Errno.Fault, WasiStreams.Read(0, 1024, 2, 512, instance));
        });
    }

    [Fact]
    public void Arguments_stay_within_memory()
    {
        GuestThread.Run(() =>
        {
            using var instance = NewInstance();
            Assert.Equal((int)Errno.Fault, WasiCalls.ArgsGet(0, PageBytes - 4, instance));
            Assert.Equal((int)Errno.Fault, WasiCalls.ArgsGet(PageBytes - 2, 0, instance));
            Assert.Equal((int)Errno.Success, WasiCalls.ArgsGet(0, PageBytes - 5, instance));
        });
    }

    [Fact]
    public void Result_is_copied_up_to_the_buffers_size_from_any_offset()
    {
        GuestThread.Run(() =>
        {
            using var instance = NewInstance();
            Process(instance).Result = new byte[] { 1, 2, 3 };
            Assert.Equal(3, BindingCalls.ResultLength(instance));
            Assert.Equal(2, BindingCalls.ResultRead(1, PageBytes - 8, 8, instance));
            Assert.Equal([2, 3, 0], instance.Slice(PageBytes - 8, 3).ToArray());
            Assert.Equal(1, BindingCalls.ResultRead(0, PageBytes - 1, 1, instance));
            Assert.Equal(0, BindingCalls.ResultRead(-1, 0, 8, instance));
            Assert.Equal(-1, BindingCalls.ResultRead(0, PageBytes - 1, 2, instance));
            Assert.Equal(-1, BindingCalls.ResultRead(0, 8, -1, instance));
        });
    }

    [Fact]
    public void Response_that_is_too_long_ends_the_module()
    {
        GuestThread.Run(() =>
        {
            using var instance = NewInstance();
            var error = Assert.Throws<GuestException>(() =>
            {
                for (var bytes = 0L; bytes <= WasiProcess.MaxOutput; bytes += PageBytes)
                    WriteVectors(instance, (0, PageBytes));
            });
            Assert.Contains("16 MB", error.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Endless_log_line_is_limited()
    {
        var lines = new List<string>();
        var writer = new LineWriter(lines.Add);
        for (var i = 0; i < 100; i++)
            writer.Write(new byte[LineWriter.MaxBytes]);
        writer.Write("\nnext\r\nlast"u8);
        writer.Flush();
        Assert.Equal([LineWriter.MaxBytes, 4, 4], lines.Select(line => line.Length));
    }

    /// <summary>All imports except the one that ends the module.</summary>
    private static IEnumerable<(string Module, string Name)> Functions() =>
        TestModule.Functions.Functions.Keys.Where(static import => import.Name != "proc_exit").Order();

    private static void AssertCode(string module, string name, int result)
    {
        if (module == WasiCalls.Module)
            Assert.InRange(result, 0, (int)Errno.NotCapable);
        else if (name.EndsWith("_len", StringComparison.Ordinal) || name.EndsWith("_read", StringComparison.Ordinal))
            Assert.InRange(result, -1, int.MaxValue);
        else
            Assert.True(Enum.IsDefined((CallStatus)result), $"{module}.{name} returned {result}.");
    }

    private static int Choose(Random random) => random.Next(3) == 0 ? random.Next(PageBytes) : Edges[random.Next(Edges.Length)];

    /// <summary>Exports a function that passes its arguments to an import, and returns its result.</summary>
    private static void Forward(ModuleAssembler assembler, string module, string name, string type)
    {
        byte[] parameters = [.. type.TakeWhile(static kind => kind != ':').Select(static kind => kind == 'I' ? I64 : I32)];
        var signature = assembler.Type(parameters, [I32]);
        var import = assembler.Import(module, name, signature);
        byte[] arguments = [.. Enumerable.Range(0, parameters.Length).SelectMany(static index => new byte[] { 0x20, (byte)index })];
        assembler.Export("forward", signature, 0, [.. arguments, 0x10, (byte)import, 0x0B]);
    }

    private static WasiProcess Process(Instance instance) => WasiProcess.Of(instance);

    private static int WriteVectors(Instance instance, params (int Address, int Length)[] vectors)
    {
        for (var index = 0; index < vectors.Length; index++)
            PutVector(instance, index, vectors[index].Address, vectors[index].Length);
        return WasiStreams.Write(1, 1024, vectors.Length, 512, instance);
    }

    private static void PutVector(Instance instance, int index, int address, int length)
    {
        BitConverter.TryWriteBytes(instance.Slice(1024 + (index * 8), 4), address);
        BitConverter.TryWriteBytes(instance.Slice(1028 + (index * 8), 4), length);
    }

    private static Instance NewInstance(Action<ModuleAssembler>? more = null)
    {
        var assembler = new ModuleAssembler().Memory(1, 1);
        more?.Invoke(assembler);
        var instance = TestModule.Instantiate(TestModule.WithStart(assembler));
        Begin(instance);
        return instance;
    }

    private static void Begin(Instance instance) =>
        instance.HostState = new WasiProcess(instance, new NoHost()) { Arguments = [WasiProcess.Terminated("name")] };

    private sealed class NoHost : IModuleHost
    {
        public void Log(GuestLogLevel level, string line) { }

        public OperationEnd Call(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload) =>
            new(
                1,
                true,
                """{"command":"","rowCount":0,"fields":[],"rows":[],"status":200,"statusText":"","url":"","redirected":false,"headers":[],"tx":1}"""u8.ToArray(),
                default
            );

        public void Sleep(TimeSpan time) { }
    }
}
