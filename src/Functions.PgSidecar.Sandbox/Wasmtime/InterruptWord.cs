using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// The second memory of the JavaScript engine: one word, at address 0, which its loops look at and none of its other code can address. Nothing is ever read
/// of it but that word, so that it needs no address space of its own.
/// </summary>
internal static unsafe class InterruptWord
{
    /// <summary>Words of different guests lie on different lines of the processor's caches.</summary>
    private const int Spacing = 64;

    private const int WordsAtOnce = 1024;
    private static readonly Stack<MemorySlot> Free = new();

    /// <summary>A memory whose word is 0.</summary>
    public static MemorySlot Take()
    {
        lock (Free)
        {
            if (Free.Count == 0)
                Allocate();
            return Free.Pop();
        }
    }

    /// <summary>Makes the guest trap at its next loop.</summary>
    public static void Set(MemorySlot memory) => Volatile.Write(ref *(int*)memory.Address, 1);

    /// <summary>Takes a memory back that no store uses any more, and no interrupter.</summary>
    public static void Return(MemorySlot memory)
    {
        Volatile.Write(ref *(int*)memory.Address, 0);
        lock (Free)
            Free.Push(memory);
    }

    /// <summary>Behind the last word there is the page that its memory has.</summary>
    private static void Allocate()
    {
        var words = (byte*)NativeMemory.AlignedAlloc((WordsAtOnce * Spacing) + MemorySlot.PageBytes, Spacing);
        new Span<byte>(words, (WordsAtOnce * Spacing) + MemorySlot.PageBytes).Clear();
        for (var word = 0; word < WordsAtOnce; word++)
            Free.Push(MemorySlot.OfPage(words + (word * Spacing)));
    }
}
