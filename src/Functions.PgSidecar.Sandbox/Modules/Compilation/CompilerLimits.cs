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

    /// <summary>The exit code of a process that used up its processor time: it ended by SIGXCPU, number 24.</summary>
    public const int OutOfTime = 128 + 24;

    private const int CpuTime = 0,
        FileSize = 1,
        Data = 2,
        CoreSize = 4;
    private const int ThisProcess = 0;
    private const int StandardError = 2;
    private const int SetFlags = 2;
    private const int CloseOnExec = 1;

    /// <summary>Low enough to leave the processors to functions, and high enough to get a tenth of a busy one.</summary>
    private const int Priority = 10;

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
        var seconds = (long)CompilerProcess.ProcessorTime.TotalSeconds * Environment.ProcessorCount;
        // At the hard limit the kernel would end it by SIGKILL, as for a lack of memory.
        Limit(CpuTime, seconds, seconds + 1);
        if (SetPriority(ThisProcess, 0, Priority) != 0)
            throw new InvalidOperationException("The process's priority can't be lowered.");
    }

    private static void Limit(int resource, long value) => Limit(resource, value, value);

    private static void Limit(int resource, long soft, long hard)
    {
        var limit = new ResourceLimit { Soft = (nuint)soft, Hard = (nuint)hard };
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
