using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>
/// The limits that a process for compiling modules sets for itself before it reads one. Only on Linux; elsewhere it has just the time limit
/// of the process that started it.
/// </summary>
internal static partial class CompilerLimits
{
    /// <summary>The most memory that it may write to, in bytes.</summary>
    public const long MemoryBytes = 1L << 30;

    private const int CpuTime = 0,
        FileSize = 1,
        Data = 2,
        CoreSize = 4;
    private const int ThisProcess = 0;
    private const int StandardError = 2;
    private const int SetFlags = 2;
    private const int CloseOnExec = 1;
    private const int LowestPriority = 19;

    /// <summary>
    /// Keeps processes that this one starts from inheriting its descriptors. .NET marks those that it opens itself; this process may have
    /// inherited others.
    /// </summary>
    public static void KeepDescriptors()
    {
        if (!OperatingSystem.IsLinux())
            return;
        foreach (var path in Directory.EnumerateFiles("/proc/self/fd"))
        {
            if (int.TryParse(Path.GetFileName(path), out var descriptor) && descriptor > StandardError)
                _ = ControlDescriptor(descriptor, SetFlags, CloseOnExec);
        }
    }

    /// <summary>Sets the limits for this process, permanently.</summary>
    public static void Apply()
    {
        if (!OperatingSystem.IsLinux())
            return;
        Limit(CoreSize, 0);
        Limit(FileSize, 0);
        Limit(Data, MemoryBytes);
        // The wall-clock limit on every processor: the process ends even if the sidecar has died.
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

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int ControlDescriptor(int descriptor, int command, int value);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int priority);
}
