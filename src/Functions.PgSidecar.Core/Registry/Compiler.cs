using System.Diagnostics;
using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Makes programs of versions, each by its own language.</summary>
internal sealed class Compiler(IEnumerable<ILanguage> languages, ArtifactSeal seal)
{
    private readonly Dictionary<string, ILanguage> languages = languages.ToDictionary(language => language.Name, StringComparer.Ordinal);

    /// <summary>What of a version runs while it is compiled has this long, however little time its invocations have: a failure is for good, a slow moment is not.</summary>
    private static readonly TimeSpan ShortestTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The function's own limits, for what of it runs while it is compiled; of time, 10 s at least.</summary>
    public static GuestLimits Limits(VersionArtifact version) =>
        new(version.Options.Timeout > ShortestTimeout ? version.Options.Timeout : ShortestTimeout, (long)version.Options.MemoryMb << 20, version.Options.Cpu, version.Options.Fuel);

    /// <summary>Compiles a version.</summary>
    /// <returns>The program, <see langword="null"/> where the version does not compile; and what the registry keeps of it.</returns>
    public async Task<(IProgram? Program, CompilationOutcome Outcome)> CompileAsync(VersionArtifact version)
    {
        var began = Stopwatch.GetTimestamp();
        int Milliseconds() => (int)Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        if (!languages.TryGetValue(version.Language, out var language))
        {
            var unknown = new CompilationError($"This sidecar does not know the language '{version.Language}'.");
            return (null, new CompilationOutcome("", null, null, 0, unknown));
        }
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

    /// <summary>The program that is stored with a version; <see langword="null"/> where there is none that this engine can use.</summary>
    /// <exception cref="InvalidDataException">It was made for this engine, but not by a sidecar with this key; or it is damaged.</exception>
    public IProgram? Read(VersionArtifact version) =>
        version.Snapshot is { } stored && languages.TryGetValue(version.Language, out var language) && version.Engine == language.EngineId
            ? language.Read(version, seal.Open(version, language.EngineId, stored))
            : null;
}
