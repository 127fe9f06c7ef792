using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>Memories that have been used are put back, byte for byte.</summary>
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
    public void A_use_that_changes_more_than_is_copied_maps_the_image_anew()
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
