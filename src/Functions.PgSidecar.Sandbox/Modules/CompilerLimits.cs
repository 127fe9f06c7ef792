using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>What a process that compiles modules allows itself, before it reads one. Linux; elsewhere there is the time limit of the one that started it.</summary>
internal static partial class CompilerLimits
{
    /// <summary>Memory that it may write to.</summary>
    public const long MemoryBytes = 1L << 30;

    private const int CpuTime = 0, FileSize = 1, Data = 2, CoreSize = 4;
    private const int ThisProcess = 0;
    private const int LowestPriority = 19;

    /// <summary>Sets them for this process, for good.</summary>
    public static void Apply()
    {
        if (!OperatingSystem.IsLinux())
            return;
        Limit(CoreSize, 0);
        Limit(FileSize, 0);
        Limit(Data, MemoryBytes);
        // On every processor that there is, for the wall-clock limit; so that it ends even when the sidecar is gone.
        Limit(CpuTime, (long)CompilerProcess.TimeLimit.TotalSeconds * Environment.ProcessorCount);
        if (SetPriority(ThisProcess, 0, LowestPriority) != 0)
            throw new InvalidOperationException("The process's priority can't be lowered.");
    }

    private static void Limit(int resource, long value)
    {
        var limit = new ResourceLimit { Soft = (nuint)value, Hard = (nuint)value };
        if (SetLimit(resource, limit) != 0)
            throw new InvalidOperationException($"The process's limit {resource} can't be set.");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ResourceLimit
    {
        public nuint Soft;
        public nuint Hard;
    }

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in ResourceLimit limit);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int priority);
}
