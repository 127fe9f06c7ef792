using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>A lease of a program; the program is not freed while it has leases.</summary>
internal sealed class ProgramLease(SharedProgram program) : IDisposable
{
    private SharedProgram? shared = program;

    /// <summary>The program.</summary>
    public IProgram Program { get; } = program.Program;

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref shared, null)?.Release();
}

/// <summary>A program and the number of its users, the cache included.</summary>
internal sealed class SharedProgram(IProgram program)
{
    private readonly Lock gate = new();
    private int users = 1;

    public IProgram Program { get; } = program;

    /// <summary>When it was last requested, as a count of the cache's requests.</summary>
    public long LastUse { get; set; }

    /// <summary>Adds a user.</summary>
    /// <returns><see langword="null"/> if the program has been freed.</returns>
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

    /// <summary>Removes a user; the last one frees the program.</summary>
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
