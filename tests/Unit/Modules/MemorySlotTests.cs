using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>Used memories are restored byte for byte.</summary>
public sealed unsafe class MemorySlotTests
{
    private const int Pages = 64;
    private const int PageBytes = 4096;
    private const long Capacity = 1 << 20;

    [Fact]
    public void A_memory_is_its_image_again_after_each_of_many_uses()
    {
        var random = new Random(5);
        var original = new byte[Pages * PageBytes];
        random.NextBytes(original.AsSpan(0, original.Length / 2));
        using var slots = new MemorySlots(MemoryImage.Create(original.Length, pages => original.CopyTo(pages.At(0, original.Length))));
        for (var use = 0; use < 20_000; use++)
        {
            var slot = slots.Take(Capacity);
            Assert.Equal(original.Length, slot.Size);
            if (use % 50 == 0)
                Assert.True(new ReadOnlySpan<byte>(slot.Address, original.Length).SequenceEqual(original));
            for (var writes = random.Next(8); writes > 0; writes--)
                slot.Address[random.Next(original.Length)] ^= 0xFF;
            if (use % 7 == 0)
            {
                Assert.True(slot.TryGrow(original.Length + 65536));
                new Span<byte>(slot.Address + original.Length, 65536).Fill(1);
            }
            slots.Return(slot);
        }
        var last = slots.Take(Capacity);
        Assert.True(new ReadOnlySpan<byte>(last.Address, original.Length).SequenceEqual(original));
        Assert.True(last.TryGrow(original.Length + 65536));
        Assert.False(new ReadOnlySpan<byte>(last.Address + original.Length, 65536).ContainsAnyExcept((byte)0));
        slots.Return(last);
    }

    [Fact]
    public void Use_that_changes_more_than_the_copy_limit_remaps_the_image()
    {
        const int Bytes = 16 << 20;
        using var slots = new MemorySlots(MemoryImage.Create(Bytes, static pages => pages.At(5, 1)[0] = 9));
        var slot = slots.Take(Bytes * 2L);
        new Span<byte>(slot.Address, Bytes).Fill(1);
        slots.Return(slot);
        var again = slots.Take(Bytes * 2L);
        Assert.Equal(9, again.Address[5]);
        Assert.Equal(0, again.Address[Bytes - 1]);
        slots.Return(again);
    }

    /// <summary>Different writers of pages that were unwritten before. The thread's page fault count must reveal each of them.</summary>
    [Theory]
    [InlineData("its own thread")]
    [InlineData("another thread")]
    [InlineData("the kernel")]
    [InlineData("another thread, which returns it")]
    public void Newly_written_pages_are_restored_regardless_of_the_writer(string writer)
    {
        using var slots = new MemorySlots(MemoryImage.Create(Pages * PageBytes, static pages => pages.At(0, Pages * PageBytes).Fill(7)));
        using var zeros = File.OpenHandle("/dev/zero");
        for (var use = 0; use < Pages; use++)
        {
            var slot = slots.Take(Capacity);
            Assert.False(new ReadOnlySpan<byte>(slot.Address, Pages * PageBytes).ContainsAnyExcept((byte)7), $"after {use} uses");
            // The pages of earlier uses, and one more.
            var written = (nint)slot.Address;
            var length = (use + 1) * PageBytes;
            switch (writer)
            {
                case "its own thread":
                    new Span<byte>(slot.Address, length).Fill(1);
                    slots.Return(slot);
                    break;
                case "another thread":
                    slot.ChangeThread();
                    GuestThread.Run(() => new Span<byte>((byte*)written, length).Fill(1));
                    slots.Return(slot);
                    break;
                case "the kernel":
                    Assert.Equal(length, RandomAccess.Read(zeros, new Span<byte>(slot.Address, length), 0));
                    slots.Return(slot);
                    break;
                default:
                    GuestThread.Run(() =>
                    {
                        new Span<byte>((byte*)written, length).Fill(1);
                        slots.Return(slot);
                    });
                    break;
            }
        }
    }

    [Fact]
    public void First_write_to_a_page_causes_a_page_fault_and_later_ones_do_not()
    {
        var slot = MemorySlot.Reserve(Capacity);
        Assert.True(slot.TryGrow(Pages * PageBytes));
        var before = PageFaults.Count();
        new Span<byte>(slot.Address, Pages * PageBytes).Fill(1);
        var after = PageFaults.Count();
        Assert.True(after >= before + 1, $"{before}, {after}");
        // Other pages of this thread, such as its stack, may cause some faults, but not in all of 100 rounds.
        var quiet = 0;
        for (var again = 0; again < 100; again++)
        {
            before = PageFaults.Count();
            new Span<byte>(slot.Address, Pages * PageBytes).Fill(1);
            quiet += PageFaults.Count() == before ? 1 : 0;
        }
        Assert.True(quiet > 0);
        slot.Free();
    }

    [Fact]
    public void Memory_beyond_its_capacity_is_refused()
    {
        using var slots = new MemorySlots(MemoryImage.Create(0, static _ => { }));
        var slot = slots.Take(Capacity);
        Assert.True(slot.TryGrow(Capacity));
        Assert.False(slot.TryGrow(Capacity + 65536));
        slots.Return(slot);
    }
}
