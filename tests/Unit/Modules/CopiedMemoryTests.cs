using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Sandbox.Wasmtime;
using Functions.PgSidecar.Tests.Unit.JavaScript;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>
/// Where snapshots cannot be mapped (macOS, Windows, Linux with large pages), instances get copies of them. The tests of the sandbox must
/// pass with copies too.
/// They run again in a process that is configured to copy.
/// </summary>
public sealed partial class CopiedMemoryTests
{
    private const string Variable = "PGFN_TEST_COPY_SNAPSHOTS";

    private static readonly string[] Classes =
    [
        nameof(CopiedMemoryTests),
        nameof(MemorySlotTests),
        nameof(StateTests),
        nameof(SharedLimitTests),
        nameof(HostilePointerTests),
        nameof(StartWarningTests),
        nameof(ProgramTests),
        nameof(OperationTests),
        nameof(OperationMemoryTests),
        nameof(LoadWarningTests),
        nameof(ClockTests),
    ];

    private static bool IsTold => Environment.GetEnvironmentVariable(Variable) == "true";

    /// <summary>Runs before any use of the sandbox.</summary>
    [ModuleInitializer]
    internal static void Tell()
    {
        if (IsTold)
            AppContext.SetSwitch(SnapshotMemory.CopySwitch, true);
    }

    [Fact]
    public void Process_configured_to_copy_snapshots_copies_them() =>
        Assert.Equal(OperatingSystem.IsLinux() && Environment.SystemPageSize == 4096 && !IsTold, SnapshotMemory.AreMapped);

    [Trait("Speed", "Slow")]
    [Fact]
    public async Task Sandbox_behaves_the_same_when_snapshots_are_copied()
    {
        Assert.SkipWhen(IsTold, "This is the process that copies them.");
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        // dotnet, or the tests' own executable.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(CopiedMemoryTests).Assembly.Location);
        start.ArgumentList.Add("-noColor");
        foreach (var name in Classes)
        {
            start.ArgumentList.Add("-class");
            start.ArgumentList.Add("*." + name);
        }
        start.Environment[Variable] = "true";
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, output);
        var total = Total().Match(output);
        Assert.True(total.Success && int.Parse(total.Groups[1].ValueSpan, null) > 50, output);
    }

    [GeneratedRegex(@"Total: (\d+), Errors: 0, Failed: 0")]
    private static partial Regex Total();
}
