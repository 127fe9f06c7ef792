using Functions.PgSidecar.Sandbox.Runtime;
using static Functions.PgSidecar.Tests.Unit.Engine.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>What one run did is gone before the next: byte for byte, wherever it was done.</summary>
public sealed unsafe class SnapshotTests
{
    private const int PageBytes = 65536;
    private const int Limit = 200;

    private static readonly HostFunctions Host = HostFunctions.From(typeof(SnapshotTests));
    private static readonly CompiledImage Image = Compile();

    [HostFunction("test", "seven")]
    private static int Seven(nint context) => 7;

    [Fact]
    public void An_instance_continues_from_the_snapshot_s_state() => GuestThread.Run(() =>
    {
        using var snapshot = Prepare();
        using var instance = Image.Instantiate(snapshot, Limit);
        instance.ArmStack();
        Assert.Equal(1000 + 7, Call(instance, "count"));
        Assert.Equal(1000 + 14, Call(instance, "count"));
        Assert.Equal("snapshot"u8, instance.Slice(100, 8));
    });

    [Fact]
    public void Instances_of_one_snapshot_do_not_see_each_other() => GuestThread.Run(() =>
    {
        using var snapshot = Prepare();
        using var first = Image.Instantiate(snapshot, Limit);
        using var second = Image.Instantiate(snapshot, Limit);
        first.ArmStack();
        second.ArmStack();
        Call(first, "count");
        first.Slice(100, 8).Fill(0xFF);
        Assert.Equal(1000 + 7, Call(second, "count"));
        Assert.Equal("snapshot"u8, second.Slice(100, 8));
        AssertPristine(Image.Instantiate(snapshot, Limit), snapshot);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4096)]
    [InlineData(16)]
    public void Reset_removes_every_change_wherever_it_was_made(int stride) => GuestThread.Run(() =>
    {
        using var snapshot = Prepare();
        using var instance = Image.Instantiate(snapshot, Limit);
        for (var round = 0; round < 3; round++)
        {
            instance.ArmStack();
            Call(instance, "grow");
            for (var address = 0; address < instance.MemoryLength; address += stride)
                *(instance.MemoryBase + address) ^= (byte)(address * 31 + round + 1);
            Call(instance, "count");
            Call(instance, "replaceElement");
            Scribble(instance);
            instance.Interrupt(3);
            instance.HostState = this;

            instance.Reset(snapshot);

            Assert.Null(instance.HostState);
            Assert.Equal(0, instance.InterruptReason);
            AssertPristine(instance, snapshot);
            instance.ArmStack();
            Assert.Equal(1000 + 7, Call(instance, "count"));
            Assert.Equal(5, Call(instance, "callElement"));
        }
    });

    [Fact]
    public void Reset_also_works_when_more_changed_than_is_worth_copying() => GuestThread.Run(() =>
    {
        using var snapshot = Prepare(pages: 150);
        using var instance = Image.Instantiate(snapshot, Limit);
        instance.Slice(0, 150 * PageBytes).Fill(0xAB);
        instance.Reset(snapshot);
        AssertPristine(instance, snapshot);
    });

    [Fact]
    public void Memory_grown_after_a_reset_is_zero_again() => GuestThread.Run(() =>
    {
        using var snapshot = Prepare();
        using var instance = Image.Instantiate(snapshot, Limit);
        var size = (int)instance.MemoryLength;
        for (var round = 0; round < 2; round++)
        {
            instance.ArmStack();
            Call(instance, "grow");
            Assert.False(instance.Slice(size, PageBytes).ContainsAnyExcept((byte)0));
            instance.Slice(size, PageBytes).Fill(0xCD);
            instance.Reset(snapshot);
            Assert.Equal(size, instance.MemoryLength);
        }
    });

    [Fact]
    public void A_disposed_snapshot_is_refused_and_its_instances_live_on() => GuestThread.Run(() =>
    {
        var snapshot = Prepare();
        using var instance = Image.Instantiate(snapshot, Limit);
        snapshot.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Image.Instantiate(snapshot, Limit));
        Assert.Throws<ObjectDisposedException>(() => instance.Reset(snapshot));
        Assert.Throws<ObjectDisposedException>(() => snapshot.WriteTo(Stream.Null));
        instance.ArmStack();
        Assert.Equal(1000 + 7, Call(instance, "count"));
    });

    [Fact]
    public void A_snapshot_survives_being_written_and_read() => GuestThread.Run(() =>
    {
        using var snapshot = Prepare();
        var stream = new MemoryStream();
        snapshot.WriteTo(stream);
        stream.Position = 0;
        using var copy = Image.ReadSnapshot(stream, Host);
        Assert.Equal(stream.Length, stream.Position);
        using var instance = Image.Instantiate(copy, Limit);
        AssertPristine(instance, snapshot);
        instance.ArmStack();
        Assert.Equal(1000 + 7, Call(instance, "count"));
        Assert.Equal(5, Call(instance, "callElement"));
    });

    [Fact]
    public void Equal_states_make_equal_files_wherever_they_were_mapped() => GuestThread.Run(() =>
    {
        using var one = Prepare();
        using var two = Prepare();
        Assert.Equal(Write(one), Write(two));
    });

    [Fact]
    public void A_snapshot_of_other_modules_is_refused() => GuestThread.Run(() =>
    {
        using var snapshot = Prepare();
        var module = new ModuleAssembler();
        module.Export("run", module.Type([], []), 0, 0x0B);
        var other = CompiledImage.Compile(("main", module.Build()));
        Assert.Throws<InvalidDataException>(() => other.ReadSnapshot(new MemoryStream(Write(snapshot)), Host));
        Assert.Throws<WasmLinkException>(() => other.Instantiate(snapshot, Limit));
    });

    [Fact]
    public void A_snapshot_that_needs_a_host_function_which_is_gone_is_refused() => GuestThread.Run(() =>
    {
        using var snapshot = Prepare();
        Assert.Throws<InvalidDataException>(() => Image.ReadSnapshot(new MemoryStream(Write(snapshot)), HostFunctions.None));
    });

    [Fact]
    public void A_damaged_snapshot_is_refused_at_whatever_byte_it_ends() => GuestThread.Run(() =>
    {
        using var snapshot = Prepare();
        var bytes = Write(snapshot);
        for (var length = 0; length < bytes.Length; length += length < 2000 ? 1 : 997)
            Assert.Throws<InvalidDataException>(() => Image.ReadSnapshot(new MemoryStream(bytes, 0, length), Host));
    });

    [Fact]
    public void An_instance_that_nobody_armed_traps_instead_of_running_without_a_stack_limit() => GuestThread.Run(() =>
    {
        using var snapshot = Prepare();
        using var instance = Image.Instantiate(snapshot, Limit);
        Assert.Equal(TrapKind.StackOverflow, Assert.Throws<WasmTrapException>(() => Call(instance, "recurse")).Kind);
    });

    private static byte[] Write(InstanceSnapshot snapshot)
    {
        var stream = new MemoryStream();
        snapshot.WriteTo(stream);
        return stream.ToArray();
    }

    /// <summary>Compares everything, header and memory: a snapshot holds an instance's whole state without its addresses.</summary>
    private static void AssertPristine(WasmInstance instance, InstanceSnapshot snapshot)
    {
        using var now = instance.Snapshot();
        Assert.Equal(snapshot.ByteLength, now.ByteLength);
        var expected = new ReadOnlySpan<byte>(snapshot.Pristine, (int)snapshot.ByteLength);
        var actual = new ReadOnlySpan<byte>(now.Pristine, (int)now.ByteLength);
        var difference = expected.CommonPrefixLength(actual);
        Assert.True(difference == expected.Length, $"The image differs at byte {difference}.");
    }

    /// <summary>Changes the header as a guest cannot: globals, dropped segments, results, table, all of it.</summary>
    private static void Scribble(WasmInstance instance)
    {
        var header = instance.Placement.HeaderBytes;
        for (var offset = GroupHeader.ResultsOffset; offset < GroupHeader.Size; offset += 64)
            instance.Mapping[offset] ^= 0x55;
        var tableEnd = instance.Placement.Tables[0].Offset + 1000 * FunctionReference.Size;
        for (var offset = instance.Placement.Tables[0].Offset; offset < Math.Min(tableEnd, header); offset += 512)
            instance.Mapping[offset] ^= 0xAA;
    }

    private static InstanceSnapshot Prepare(int pages = 3)
    {
        using var instance = Image.Start(Host, Limit);
        while (instance.MemoryLength < (long)pages * PageBytes)
            Call(instance, "grow");
        *(int*)(instance.MemoryBase + 64) = 1000;
        "snapshot"u8.CopyTo(instance.Slice(100, 8));
        instance.Slice(2 * PageBytes, 5000).Fill(0x77);
        return instance.Snapshot();
    }

    private static int Call(WasmInstance instance, string export) => ((delegate*<nint, int>)Image.Function(export))(instance.Context);

    private static CompiledImage Compile()
    {
        var module = new ModuleAssembler().Memory(2, 1000).Table(4, 4000);
        var get = module.Type([], [I32]);
        var seven = module.Import("test", "seven", get);
        var global = module.Global(0);
        var five = module.Function(get, 0, 0x41, 5, 0x0B);
        var six = module.Function(get, 0, 0x41, 6, 0x0B);
        // global += seven(); return memory[64] + global
        module.Export(
            "count", get, 0,
            [0x23, (byte)global, 0x10, (byte)seven, 0x6A, 0x24, (byte)global, .. Constant(64), 0x28, 2, 0, 0x23, (byte)global, 0x6A, 0x0B]);
        module.Export("grow", get, 0, 0x41, 1, 0x40, 0, 0x0B);
        module.Export("callElement", get, 0, 0x41, 2, 0x11, (byte)get, 0, 0x0B);
        // table.set 2 (ref.func six); return 0
        module.Export("replaceElement", get, 0, 0x41, 2, 0xD2, (byte)six, 0x26, 0, 0x41, 0, 0x0B);
        module.Export("recurse", get, 0, 0x10, (byte)(six + 5), 0x0B);
        module.Elements(2, five, six);
        return CompiledImage.Compile(("main", module.Build()));
    }
}
