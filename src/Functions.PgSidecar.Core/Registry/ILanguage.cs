using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>What functions may be written in: makes programs of versions, and of what an earlier compilation stored.</summary>
internal interface ILanguage
{
    /// <summary>The version's <c>language</c>.</summary>
    string Name { get; }

    /// <summary>Stored programs fit engines of the same id only.</summary>
    string EngineId { get; }

    /// <summary>Makes a program of a version; what runs on the way runs under the function's own limits.</summary>
    /// <exception cref="CompileException">The version can't become a program.</exception>
    Task<CompiledVersion> CompileAsync(VersionArtifact version);

    /// <summary>The program that was stored with a version.</summary>
    /// <exception cref="InvalidDataException">The bytes are no program of this engine.</exception>
    IProgram Read(VersionArtifact version, ReadOnlyMemory<byte> stored);
}

/// <summary>A version that compiled.</summary>
/// <param name="Program">Ready to run.</param>
/// <param name="Stored">What <see cref="ILanguage.Read"/> makes the same program of.</param>
/// <param name="InfoJson">Facts for people, as JSON.</param>
internal sealed record CompiledVersion(IProgram Program, byte[] Stored, string InfoJson);

/// <summary>A version can't become a program: what its author is told.</summary>
internal sealed class CompileException(CompilationError error) : Exception(error.Message)
{
    public CompilationError Error { get; } = error;
}
