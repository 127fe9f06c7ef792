using System.Runtime.InteropServices;

namespace Functions.PgSidecar;

/// <summary>
/// On Linux: disables the runtime's diagnostics in serving processes (a socket in the temporary directory, through which the same user can
/// attach, dump memory and load code), and prevents the process and its children from gaining privileges (<c>no_new_privs</c>).
/// </summary>
/// <remarks>
/// The runtime reads <c>DOTNET_EnableDiagnostics</c> only from the environment, before any of our code runs, and <c>no_new_privs</c>
/// applies only to threads that are created after it is set. Both apply from the first instruction when the process replaces itself
/// (execve): with the same file, the same arguments and the same process id.
/// </remarks>
internal static partial class ProcessHardening
{
    private const string DiagnosticsVariable = "DOTNET_EnableDiagnostics";
    private const int SetNoNewPrivileges = 38;
    private const int GetNoNewPrivileges = 39;

    /// <summary>Returns if nothing is left to do, or nothing can be done; otherwise restarts the process.</summary>
    public static void Apply()
    {
        if (!OperatingSystem.IsLinux())
            return;
        // An explicitly set variable takes precedence, for example 1 for a debugging session.
        var isDecided =
            Environment.GetEnvironmentVariable(DiagnosticsVariable) is not null
            || Environment.GetEnvironmentVariable("COMPlus_EnableDiagnostics") is not null;
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

    /// <summary>The runtime removes its sockets when it exits, but not when the process is replaced.</summary>
    private static void RemoveSockets()
    {
        foreach (
            var pattern in new[] { $"dotnet-diagnostic-{Environment.ProcessId}-*-socket", $"clr-debug-pipe-{Environment.ProcessId}-*" }
        )
        {
            try
            {
                foreach (var path in Directory.EnumerateFileSystemEntries(Path.GetTempPath(), pattern))
                    File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The name stays behind, without a listener.
            }
        }
    }

    /// <summary>Returns only if the file no longer exists or may not be executed.</summary>
    private static unsafe void Restart()
    {
        // By its own name, which becomes the process's name.
        if (File.ResolveLinkTarget("/proc/self/exe", returnFinalTarget: false)?.FullName is not { } executable || !File.Exists(executable))
            return;
        // The arguments as they are, one after the other, each terminated by a zero.
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
