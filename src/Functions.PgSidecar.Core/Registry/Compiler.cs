using System.Diagnostics;
using Functions.PgSidecar.Core.Code;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Compiles versions to programs, each with its own language.</summary>
internal sealed class Compiler(IEnumerable<ILanguage> languages, ArtifactSeal seal, CodeReader code)
{
    private readonly Dictionary<string, ILanguage> languages = languages.ToDictionary(language => language.Name, StringComparer.Ordinal);

    /// <summary>
    /// The least time that code which runs during compilation has, even if invocations have less: a failure is permanent, and a slow moment
    /// should not cause it.
    /// </summary>
    private static readonly TimeSpan ShortestTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The function's own limits, for code that runs during compilation; at least 10 s of time.</summary>
    public static GuestLimits Limits(VersionArtifact version) =>
        new(
            version.Options.Timeout > ShortestTimeout ? version.Options.Timeout : ShortestTimeout,
            (long)version.Options.MemoryMb << 20,
            version.Options.Cpu,
            version.Options.Fuel
        );

    /// <summary>Compiles a version.</summary>
    /// <returns>The program, <see langword="null"/> if the version does not compile; and the outcome for the registry.</returns>
    /// <exception cref="SidecarException">PGFN2425, PGFN2426: its code can't be read.</exception>
    public async Task<(IProgram? Program, CompilationOutcome Outcome)> CompileAsync(VersionArtifact version)
    {
        var began = Stopwatch.GetTimestamp();
        int Milliseconds() => (int)Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        if (!languages.TryGetValue(version.Language, out var language))
        {
            var unknown = new CompilationError($"This sidecar does not support the language '{version.Language}'.");
            return (null, new CompilationOutcome("", null, null, 0, unknown));
        }
        version = await code.ReadAsync(version, CancellationToken.None).ConfigureAwait(false);
        try
        {
            var compiled = await language.CompileAsync(version).ConfigureAwait(false);
            var stored = seal.Seal(version, language.EngineId, compiled.Stored);
            return (compiled.Program, new CompilationOutcome(language.EngineId, stored, compiled.InfoJson, Milliseconds(), null));
        }
        catch (CompileException e)
        {
            return (null, new CompilationOutcome(language.EngineId, null, null, Milliseconds(), e.Error));
        }
    }

    /// <summary>The stored program of a version; <see langword="null"/> if there is none that this engine can use.</summary>
    /// <exception cref="InvalidDataException">The program is for this engine, but was not stored by a sidecar with this key; or it is
    /// damaged.</exception>
    public IProgram? Read(VersionArtifact version) =>
        version.Snapshot is { } stored && languages.TryGetValue(version.Language, out var language) && version.Engine == language.EngineId
            ? language.Read(version, seal.Open(version, language.EngineId, stored))
            : null;
}
