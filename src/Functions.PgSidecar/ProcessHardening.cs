using System.Runtime.InteropServices;

namespace Functions.PgSidecar;

/// <summary>
/// On Linux: no process that serves has diagnostics (a socket in the directory of temporary files, by which the same user attaches, dumps memory and loads
/// code), and neither it nor its children can gain privileges (<c>no_new_privs</c>).
/// </summary>
/// <remarks>
/// The runtime reads <c>DOTNET_EnableDiagnostics</c> from the environment only, before any code of ours runs, and <c>no_new_privs</c> holds for the threads
/// that are made after it. Both hold from the first instruction when the process replaces itself: the same file, the same arguments, the same process id.
/// </remarks>
internal static partial class ProcessHardening
{
    private const string DiagnosticsVariable = "DOTNET_EnableDiagnostics";
    private const int SetNoNewPrivileges = 38;
    private const int GetNoNewPrivileges = 39;

    /// <summary>Returns where nothing is left to do, or nothing can be done; else the process begins again.</summary>
    public static void Apply()
    {
        if (!OperatingSystem.IsLinux())
            return;
        // Whoever sets the variable, to 1 for a debugging session say, decides.
        var isDecided = Environment.GetEnvironmentVariable(DiagnosticsVariable) is not null || Environment.GetEnvironmentVariable("COMPlus_EnableDiagnostics") is not null;
        var gains = ProcessControl(GetNoNewPrivileges, 0, 0, 0, 0) == 0 && ProcessControl(SetNoNewPrivileges, 1, 0, 0, 0) == 0;
        if (isDecided && !gains)
            return;
        if (!isDecided)
        {
            SetEnvironmentVariable(DiagnosticsVariable, "0", 1);
            RemoveSockets();
        }
        Restart();
    }

    /// <summary>The runtime removes its sockets when it ends, not when it is replaced.</summary>
    private static void RemoveSockets()
    {
        foreach (var pattern in new[] { $"dotnet-diagnostic-{Environment.ProcessId}-*-socket", $"clr-debug-pipe-{Environment.ProcessId}-*" })
        {
            try
            {
                foreach (var path in Directory.EnumerateFileSystemEntries(Path.GetTempPath(), pattern))
                    File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A name without a listener stays behind.
            }
        }
    }

    /// <summary>Returns only where the file is gone or may not be executed.</summary>
    private static unsafe void Restart()
    {
        // By its own name, which is the process's name then too.
        if (File.ResolveLinkTarget("/proc/self/exe", returnFinalTarget: false)?.FullName is not { } executable || !File.Exists(executable))
            return;
        // The arguments as they are, one after the other, each with a zero at its end.
        var arguments = File.ReadAllBytes("/proc/self/cmdline");
        if (arguments.Length == 0)
            return;
        var starts = new List<int> { 0 };
        for (var i = 0; i < arguments.Length - 1; i++)
        {
            if (arguments[i] == 0)
                starts.Add(i + 1);
        }
        fixed (byte* first = arguments)
        {
            var pointers = new nint[starts.Count + 1];
            for (var i = 0; i < starts.Count; i++)
                pointers[i] = (nint)(first + starts[i]);
            fixed (nint* vector = pointers)
                Execute(executable, vector);
        }
    }

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int ProcessControl(int option, nuint first, nuint second, nuint third, nuint fourth);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironmentVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Execute(string path, nint* arguments);
}
