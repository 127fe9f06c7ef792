using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>A language of functions: compiles versions to programs, and loads stored programs.</summary>
internal interface ILanguage
{
    /// <summary>The version's <c>language</c>.</summary>
    string Name { get; }

    /// <summary>The engine's id. Stored programs fit only engines with the same id.</summary>
    string EngineId { get; }

    /// <summary>Compiles a version to a program; code that runs during compilation has the function's own limits.</summary>
    /// <exception cref="CompileException">The version does not compile.</exception>
    Task<CompiledVersion> CompileAsync(VersionArtifact version);

    /// <summary>Loads the stored program of a version.</summary>
    /// <exception cref="InvalidDataException">The bytes are not a program of this engine.</exception>
    IProgram Read(VersionArtifact version, ReadOnlyMemory<byte> stored);
}

/// <summary>A version that compiled.</summary>
/// <param name="Program">The program, ready to run.</param>
/// <param name="Stored">The bytes from which <see cref="ILanguage.Read"/> loads the same program.</param>
/// <param name="InfoJson">Facts for people, as JSON.</param>
internal sealed record CompiledVersion(IProgram Program, byte[] Stored, string InfoJson);

/// <summary>A version does not compile, for the reason that its author is shown.</summary>
internal sealed class CompileException(CompilationError error) : Exception(error.Message)
{
    public CompilationError Error { get; } = error;
}
