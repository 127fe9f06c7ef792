using Functions.PgSidecar.Core.Code;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>The data needed to admit and run an invocation; small, and reloaded whenever the function changes.</summary>
/// <param name="Name">The function's name.</param>
/// <param name="Enabled">False: respond as if it did not exist.</param>
/// <param name="Version">The active version; null if none has ever been ready.</param>
/// <param name="VersionId">That version's id. A name that is dropped and deployed again starts again at version 1, with other ids.</param>
/// <param name="Options">The active version's options (the latest version's if none is active).</param>
/// <param name="Environment">Its variables: the option <c>env</c>, overridden by <c>functions.set_env</c>.</param>
/// <param name="Secrets">Its secrets, encrypted as <c>functions.set_secret</c> stored them.</param>
/// <param name="Hosts">The host patterns it may fetch from: the option <c>allow_hosts</c>, and those of
/// <c>functions.allow_host</c>.</param>
public sealed record FunctionDefinition(
    string Name,
    bool Enabled,
    int? Version,
    Guid? VersionId,
    FunctionOptions Options,
    IReadOnlyDictionary<string, string> Environment,
    IReadOnlyDictionary<string, byte[]> Secrets,
    IReadOnlyList<string> Hosts
);

/// <summary>A version's code and its compilation; large, and immutable for one engine.</summary>
/// <param name="Id">The version's id, which differs between versions of the same name and number.</param>
/// <param name="Function">The function's name.</param>
/// <param name="Version">The version's number.</param>
/// <param name="Language"><c>javascript</c>, with a source, or <c>wasm</c>, with a module.</param>
/// <param name="Source">The source as it was deployed; null for a module, and while only a bucket has it.</param>
/// <param name="Module">The WebAssembly module as it was deployed; null for a source, and while only a bucket has it.</param>
/// <param name="SourceHash">SHA-256 of the module, or of the source's UTF-8.</param>
/// <param name="Options">The options it was deployed with.</param>
/// <param name="Engine">The build of the engine <paramref name="Snapshot"/> belongs to; another build must compile the source
/// itself.</param>
/// <param name="Snapshot">The memory after the module's top level ran; null if the version is not ready.</param>
/// <param name="InfoJson">The compiler's results (JSON), as passed to <see cref="RegistryStore.CompleteVersionAsync"/>.</param>
public sealed record VersionArtifact(
    Guid Id,
    string Function,
    int Version,
    string Language,
    string? Source,
    byte[]? Module,
    byte[] SourceHash,
    FunctionOptions Options,
    string? Engine,
    byte[]? Snapshot,
    string? InfoJson
)
{
    /// <summary>Where its code is besides or instead of the row; null: in the row alone.</summary>
    public StoredCode? InBucket { get; init; }

    /// <summary>Whether the copy in the bucket is read first.</summary>
    public bool PrefersBucket { get; init; }
}

/// <summary>The versions that a sidecar claimed.</summary>
/// <param name="Claimed">Versions to compile.</param>
/// <param name="GivenUp">Versions that were marked as failed, because sidecars ended while compiling them.</param>
public sealed record VersionClaims(IReadOnlyList<VersionArtifact> Claimed, IReadOnlyList<VersionArtifact> GivenUp);

/// <summary>The outcome of a version's compilation.</summary>
/// <param name="Engine">The build of the engine that compiled it.</param>
/// <param name="Snapshot">The snapshot to store; null if the compilation failed.</param>
/// <param name="InfoJson">Facts to store, as JSON; may be null.</param>
/// <param name="CompiledMs">How long it took, in milliseconds.</param>
/// <param name="Error">The error; null if the compilation succeeded.</param>
public sealed record CompilationOutcome(string Engine, byte[]? Snapshot, string? InfoJson, int CompiledMs, CompilationError? Error);

/// <summary>Why a source does not compile, or why its top level threw. Lines and columns count from 1.</summary>
public sealed record CompilationError(string Message, string? File = null, int? Line = null, int? Column = null, string? Stack = null);
