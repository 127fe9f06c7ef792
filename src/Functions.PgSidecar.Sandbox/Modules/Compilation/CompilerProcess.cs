using System.Diagnostics;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>
/// Compiles modules in a separate process, which is killed when it takes too long: Wasmtime's compiler has no limits of its own, and the
/// bytes are hostile. The process has no environment, no descriptors but its standard streams, no database, and sets limits for itself
/// before it reads (<see cref="CompilerLimits"/>).
/// </summary>
/// <param name="command">The executable and its arguments.</param>
/// <param name="timeLimit">The time limit; by default <see cref="TimeLimit"/>.</param>
internal sealed class CompilerProcess(IReadOnlyList<string> command, TimeSpan? timeLimit = null)
{
    /// <summary>The argument that makes <c>pgfn</c> such a process.</summary>
    public const string Argument = "compile-module";

    /// <summary>The time that a compilation may take on every processor.</summary>
    public static readonly TimeSpan ProcessorTime = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The time that it may take by the clock, which is more: a busy machine has little of its processors for it, and a failure is
    /// permanent.
    /// </summary>
    public static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(2);

    private const int MaxAnswerBytes = 512 << 20;
    private const string Advice = "Split its largest functions, or optimise it for size.";

    /// <summary>
    /// A framework-dependent executable needs these to find a runtime outside of the usual place. No other variable is passed on.
    /// </summary>
    private static readonly string[] PassedOn = ["DOTNET_ROOT", "DOTNET_ROOT_X64", "DOTNET_ROOT_ARM64"];

    /// <summary>Compiles a module.</summary>
    /// <exception cref="ModuleException">The module can't be compiled, or not within the limits.</exception>
    public async Task<ICompiled> CompileAsync(ReadOnlyMemory<byte> module, string? handler, bool countFuel)
    {
        using var process = Start();
        using var limit = new CancellationTokenSource(timeLimit ?? TimeLimit);
        using var answer = new MemoryStream();
        try
        {
            var errors = DrainAsync(process.StandardError.BaseStream, Stream.Null, limit.Token);
            var answered = DrainAsync(process.StandardOutput.BaseStream, answer, limit.Token);
            await SendAsync(process, module, handler, countFuel, limit.Token).ConfigureAwait(false);
            await answered.ConfigureAwait(false);
            await errors.ConfigureAwait(false);
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            throw new ModuleException(
                $"The module was not compiled within {(timeLimit ?? TimeLimit).TotalSeconds} s. {Advice} If this machine was busy, deploy it again."
            );
        }
        finally
        {
            Kill(process);
        }
        if (process.ExitCode == CompilerLimits.OutOfTime)
        {
            throw new ModuleException(
                $"The module takes longer than {ProcessorTime.TotalSeconds} s on every processor to compile. {Advice}"
            );
        }
        if (process.ExitCode != 0)
        {
            throw new ModuleException(
                $"The module can't be compiled within {CompilerLimits.MemoryBytes >> 30} GiB of memory: "
                    + $"the compiler ended with code {process.ExitCode}. {Advice}"
            );
        }
        answer.Position = 0;
        return ModuleCompilation.ReadAnswer(answer);
    }

    private Process Start()
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        start.Environment.Clear();
        foreach (var name in PassedOn)
        {
            if (Environment.GetEnvironmentVariable(name) is { } value)
                start.Environment[name] = value;
        }
        // No socket for debuggers, and no needless threads.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["DOTNET_gcServer"] = "0";
        start.Environment["DOTNET_gcConcurrent"] = "0";
        CompilerLimits.KeepDescriptors();
        return Process.Start(start)!;
    }

    private static async Task SendAsync(
        Process process,
        ReadOnlyMemory<byte> module,
        string? handler,
        bool countFuel,
        CancellationToken cancellationToken
    )
    {
        using var request = new MemoryStream();
        ModuleCompilation.WriteRequest(request, module, handler, countFuel);
        try
        {
            var bytes = request.GetBuffer().AsMemory(0, (int)request.Length);
            await process.StandardInput.BaseStream.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The process ended before it had read everything; its exit code says why.
        }
    }

    private static async Task DrainAsync(Stream from, Stream to, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        var total = 0L;
        while (await from.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var count)
        {
            if ((total += count) > MaxAnswerBytes)
                throw new ModuleException("The module compiles to more machine code than the sidecar accepts.");
            await to.WriteAsync(buffer.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has already ended.
        }
    }
}
