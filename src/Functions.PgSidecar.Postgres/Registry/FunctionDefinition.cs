namespace Functions.PgSidecar.Postgres.Registry;

/// <summary>What the sidecar must know to admit and run an invocation; small, and reloaded whenever the function changes.</summary>
/// <param name="Name">The function's name.</param>
/// <param name="Enabled">False: answer as if it did not exist.</param>
/// <param name="Version">The version that answers; null while none was ever ready.</param>
/// <param name="VersionId">That version, and no other of the same number: a name that is dropped and deployed again counts from 1 again.</param>
/// <param name="Options">The active version's options (the latest version's while none is active).</param>
/// <param name="Environment">Its variables: the option <c>env</c> under what <c>functions.set_env</c> gave.</param>
/// <param name="Secrets">Its secrets, sealed as <c>functions.set_secret</c> stored them.</param>
/// <param name="Hosts">The host patterns it may fetch from: the option <c>allow_hosts</c> and what <c>functions.allow_host</c> gave.</param>
public sealed record FunctionDefinition(
    string Name,
    bool Enabled,
    int? Version,
    Guid? VersionId,
    FunctionOptions Options,
    IReadOnlyDictionary<string, string> Environment,
    IReadOnlyDictionary<string, byte[]> Secrets,
    IReadOnlyList<string> Hosts);

/// <summary>A version's code and what became of it; large, and immutable for one engine.</summary>
/// <param name="Id">The version, and no other of the same name and number.</param>
/// <param name="Function">The function's name.</param>
/// <param name="Version">The version's number.</param>
/// <param name="Language"><c>javascript</c>, with a source, or <c>wasm</c>, with a module.</param>
/// <param name="Source">The source as it was deployed; null of a module.</param>
/// <param name="Module">The WebAssembly module as it was deployed; null of a source.</param>
/// <param name="SourceHash">SHA-256 of the module, or of the source's UTF-8.</param>
/// <param name="Options">The options it was deployed with.</param>
/// <param name="Engine">The build of the engine <paramref name="Snapshot"/> belongs to; another build must compile the source itself.</param>
/// <param name="Snapshot">The memory after the module's top level ran; null when the version is not ready.</param>
/// <param name="InfoJson">What the compiler found out (JSON), as it was passed to <see cref="RegistryStore.CompleteVersionAsync"/>.</param>
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
    string? InfoJson);

/// <summary>What a sidecar that asked for work was given.</summary>
/// <param name="Claimed">To compile.</param>
/// <param name="GivenUp">Versions that have become failed: sidecars ended while they compiled them.</param>
public sealed record VersionClaims(IReadOnlyList<VersionArtifact> Claimed, IReadOnlyList<VersionArtifact> GivenUp);

/// <summary>How a version's compilation went.</summary>
/// <param name="Engine">The build of the engine that compiled it.</param>
/// <param name="Snapshot">The snapshot to keep; null when it failed.</param>
/// <param name="InfoJson">Facts worth keeping, as JSON; may be null.</param>
/// <param name="CompiledMs">How long it took, in milliseconds.</param>
/// <param name="Error">Null when it worked.</param>
public sealed record CompilationOutcome(string Engine, byte[]? Snapshot, string? InfoJson, int CompiledMs, CompilationError? Error);

/// <summary>Why a source does not compile, or why its top level threw. Lines and columns count from 1.</summary>
public sealed record CompilationError(string Message, string? File = null, int? Line = null, int? Column = null, string? Stack = null);

/// <summary>A deployed function in a list.</summary>
public sealed record FunctionSummary(string Name, bool Enabled, int? ActiveVersion, int? LatestVersion, string? LatestStatus, DateTimeOffset UpdatedAt);
