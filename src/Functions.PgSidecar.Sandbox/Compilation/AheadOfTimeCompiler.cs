using System.Diagnostics;
using System.Runtime.InteropServices;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// Compiles WebAssembly modules to an image that <see cref="CompiledImage.Load(string)"/> runs at full speed from its first call: modules to CIL here, CIL to
/// machine code by crossgen2. Large functions need it: the just-in-time compiler does not optimise methods beyond certain sizes.
/// </summary>
/// <param name="crossgenPath">The executable of the package <c>microsoft.netcore.app.crossgen2</c>.</param>
public sealed class AheadOfTimeCompiler(string crossgenPath)
{
    /// <summary>Writes the image's assembly to <paramref name="assemblyPath"/>, and its metadata beside it.</summary>
    /// <param name="sources">The modules with their names, the main module first.</param>
    /// <exception cref="WasmFormatException">A module is malformed, invalid, unsupported or beyond a limit, <see cref="TimeLimit"/> included.</exception>
    /// <exception cref="InvalidOperationException">crossgen2 failed; the message holds what it said.</exception>
    public Task CompileAsync(
        IReadOnlyList<(string Name, ReadOnlyMemory<byte> Bytes)> sources, string assemblyPath, CancellationToken cancellationToken = default) =>
        CompileAsync(sources, assemblyPath, CompilationOptions.Default, cancellationToken);

    /// <inheritdoc cref="CompileAsync(IReadOnlyList{ValueTuple{string, ReadOnlyMemory{byte}}}, string, CancellationToken)"/>
    public async Task CompileAsync(
        IReadOnlyList<(string Name, ReadOnlyMemory<byte> Bytes)> sources,
        string assemblyPath,
        CompilationOptions options,
        CancellationToken cancellationToken = default)
    {
        var image = await EmitAsync(sources, options, cancellationToken);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(assemblyPath))!);
        await File.WriteAllBytesAsync(ImageFile.PathFor(assemblyPath), image.Metadata, cancellationToken);
        await File.WriteAllBytesAsync(assemblyPath, image.Assembly, cancellationToken);
    }

    /// <summary>Compiles an image to bytes, for <see cref="CompiledImage.Load(EmittedImage)"/>.</summary>
    /// <inheritdoc cref="CompileAsync(IReadOnlyList{ValueTuple{string, ReadOnlyMemory{byte}}}, string, CancellationToken)"/>
    public async Task<EmittedImage> EmitAsync(
        IReadOnlyList<(string Name, ReadOnlyMemory<byte> Bytes)> sources, CompilationOptions options, CancellationToken cancellationToken = default)
    {
        var emitted = CompiledImage.Emit(options, sources);
        return emitted with { Assembly = await CompileAsync(emitted.Assembly, ImageFile.ComputeEngineId(sources, options), cancellationToken), IsMachineCode = true };
    }

    /// <summary>How long crossgen2 may take for one image; the largest that people deploy take a tenth of it.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromSeconds(60);

    private async Task<byte[]> CompileAsync(byte[] assembly, string engineId, CancellationToken cancellationToken)
    {
        var workFolder = Directory.CreateTempSubdirectory("pgfn-compile-");
        try
        {
            // crossgen2 takes the file's name for the module's, which must be the assembly's.
            var intermediate = Path.Combine(workFolder.FullName, ImageFile.AssemblyName(engineId) + ".dll");
            await File.WriteAllBytesAsync(intermediate, assembly, cancellationToken);
            var finished = Path.Combine(workFolder.FullName, "finished.dll");
            await RunCrossgenAsync(intermediate, finished, cancellationToken);
            return await File.ReadAllBytesAsync(finished, cancellationToken);
        }
        finally
        {
            workFolder.Delete(recursive: true);
        }
    }

    private async Task RunCrossgenAsync(string input, string output, CancellationToken cancellationToken)
    {
        MakeExecutable();
        var start = new ProcessStartInfo(crossgenPath) { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            input, "-o", output, "-O", "--targetos", "linux",
            "--targetarch", RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64",
            "-r", Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "*.dll"),
            "-r", typeof(AheadOfTimeCompiler).Assembly.Location,
        ];
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{crossgenPath} did not start.");
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(TimeLimit);
        try
        {
            var messages = process.StandardOutput.ReadToEndAsync(timer.Token);
            var errors = process.StandardError.ReadToEndAsync(timer.Token);
            await process.WaitForExitAsync(timer.Token);
            if (process.ExitCode != 0)
                throw new InvalidOperationException($"crossgen2 failed with exit code {process.ExitCode}: {await errors}{await messages}");
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            cancellationToken.ThrowIfCancellationRequested();
            throw new WasmFormatException($"the module takes longer to compile than {TimeLimit.TotalSeconds} s", 0);
        }
    }

    /// <summary>Packages do not keep the run bit.</summary>
    private void MakeExecutable()
    {
        if (OperatingSystem.IsWindows())
            return;
        const UnixFileMode Run = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        var mode = File.GetUnixFileMode(crossgenPath);
        if ((mode & UnixFileMode.UserExecute) == 0)
            File.SetUnixFileMode(crossgenPath, mode | Run);
    }
}
