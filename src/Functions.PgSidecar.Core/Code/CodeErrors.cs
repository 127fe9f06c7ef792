using Functions.PgSidecar.Core.Registry;

namespace Functions.PgSidecar.Core.Code;

/// <summary>What whoever needs a version's code learns when no copy of it can be used.</summary>
internal static class CodeErrors
{
    /// <summary>The code of <see cref="Unreachable"/>, which may pass by itself.</summary>
    public const string UnreachableCode = "PGFN2426";

    public static SidecarException Unusable(VersionArtifact version, string reason) =>
        new(
            "PGFN2425",
            500,
            $"The code of version {version.Version} of function '{version.Function}' is missing or is not what was deployed: {reason}. "
                + "Restore the object in the bucket, or deploy the function again."
        );

    public static SidecarException Unreachable(VersionArtifact version, string reason) =>
        new(
            UnreachableCode,
            503,
            $"The code of version {version.Version} of function '{version.Function}' can't be read just now: {reason}. The sidecar tries again; "
                + "check the bucket."
        );
}
