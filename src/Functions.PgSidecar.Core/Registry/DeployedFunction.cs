using Functions.PgSidecar.Core.Bindings.Http;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Postgres.Registry;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// A function as invocations see it: its definition with everything worked out that can be worked out once. Immutable; a change in
/// the registry makes a new one, and invocations under way keep theirs.
/// </summary>
internal sealed class DeployedFunction
{
    /// <summary>The function's name.</summary>
    public required string Name { get; init; }

    /// <summary>The version that answers.</summary>
    public required int Version { get; init; }

    /// <summary>That version, and no other of the same number.</summary>
    public required Guid VersionId { get; init; }

    /// <summary>Its limits and who may call it.</summary>
    public required FunctionOptions Options { get; init; }

    /// <summary>Variables and secrets, a JSON object in UTF-8: the guest's <c>env</c>.</summary>
    public required ReadOnlyMemory<byte> EnvironmentJson { get; init; }

    /// <summary>Takes secrets out of what is logged.</summary>
    public required Redactor Redactor { get; init; }

    /// <summary>Where the function may fetch from.</summary>
    public required HostAllowList Hosts { get; init; }

    /// <summary>Admission; shared by all versions of the function.</summary>
    public required FunctionAdmission Admission { get; init; }

    /// <summary>The <c>source</c> of its log lines.</summary>
    public required string LogSource { get; init; }
}
