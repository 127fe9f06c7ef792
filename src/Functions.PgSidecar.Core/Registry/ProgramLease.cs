using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>The right to run a program; while one is out, the program is not freed.</summary>
internal sealed class ProgramLease(SharedProgram program) : IDisposable
{
    private SharedProgram? shared = program;

    /// <summary>The program.</summary>
    public IProgram Program { get; } = program.Program;

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref shared, null)?.Release();
}

/// <summary>A program and the number of those who use it, the cache included.</summary>
internal sealed class SharedProgram(IProgram program)
{
    private readonly Lock gate = new();
    private int users = 1;

    public IProgram Program { get; } = program;

    /// <summary>When it was last asked for, as the cache's own count of questions.</summary>
    public long LastUse { get; set; }

    /// <summary>One more user.</summary>
    /// <returns><see langword="null"/> where the program has been freed already.</returns>
    public ProgramLease? TryLease()
    {
        lock (gate)
        {
            if (users == 0)
                return null;
            users++;
            return new ProgramLease(this);
        }
    }

    /// <summary>One user less; the last one frees the program.</summary>
    public void Release()
    {
        lock (gate)
        {
            if (--users > 0)
                return;
        }
        Program.Dispose();
    }
}
