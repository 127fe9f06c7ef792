using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// The second memory of the JavaScript engine: one word at address 0. Its loops check the word; no other code can address this memory.
/// Because nothing else is read, it needs no reserved address space.
/// </summary>
internal static unsafe class InterruptWord
{
    /// <summary>The distance between words in bytes: each guest's word has its own cache line.</summary>
    private const int Spacing = 64;

    private const int WordsAtOnce = 1024;
    private static readonly Stack<MemorySlot> Free = new();

    /// <summary>Takes a memory whose word is 0.</summary>
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

    /// <summary>Returns a memory that no store and no interrupter uses any more.</summary>
    public static void Return(MemorySlot memory)
    {
        Volatile.Write(ref *(int*)memory.Address, 0);
        lock (Free)
            Free.Push(memory);
    }

    /// <summary>Allocates words. The last one is followed by a whole page, which its memory declares.</summary>
    private static void Allocate()
    {
        var words = (byte*)NativeMemory.AlignedAlloc((WordsAtOnce * Spacing) + MemorySlot.PageBytes, Spacing);
        new Span<byte>(words, (WordsAtOnce * Spacing) + MemorySlot.PageBytes).Clear();
        for (var word = 0; word < WordsAtOnce; word++)
            Free.Push(MemorySlot.OfPage(words + (word * Spacing)));
    }
}
