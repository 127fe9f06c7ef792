using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Secrets;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// A function as invocations use it: its definition with everything precomputed. Immutable; a change in the registry creates a new one, and
/// running invocations keep theirs.
/// </summary>
internal sealed class DeployedFunction
{
    /// <summary>The function's name.</summary>
    public required string Name { get; init; }

    /// <summary>The active version.</summary>
    public required int Version { get; init; }

    /// <summary>That version's id, which is unique even if version numbers start again.</summary>
    public required Guid VersionId { get; init; }

    /// <summary>Its limits and access rules.</summary>
    public required FunctionOptions Options { get; init; }

    /// <summary>Variables, secrets and named bindings, a JSON object in UTF-8: the guest's <c>env</c>.</summary>
    public required ReadOnlyMemory<byte> EnvironmentJson { get; init; }

    /// <summary>Redacts secrets in its log.</summary>
    public required Redactor Redactor { get; init; }

    /// <summary>The hosts that the function may fetch from.</summary>
    public required HostAllowList Hosts { get; init; }

    /// <summary>Its admission state, shared by all versions of the function.</summary>
    public required FunctionAdmission Admission { get; init; }

    /// <summary>The <c>source</c> of its log lines.</summary>
    public required string LogSource { get; init; }
}
