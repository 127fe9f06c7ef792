using Functions.PgSidecar.Core.Registry;

namespace Functions.PgSidecar.Core.Code;

/// <summary>What whoever needs a version's code learns when no copy of it can be used.</summary>
internal static class CodeErrors
{
    public static SidecarException Unusable(VersionArtifact version, string reason) =>
        new(
            "PGFN2425",
            500,
            $"The code of version {version.Version} of function '{version.Function}' is missing or is not what was deployed: {reason}. "
                + "Restore the object in the bucket, or deploy the function again."
        );

    public static SidecarException Unreachable(VersionArtifact version, string reason) =>
        new(
            "PGFN2426",
            503,
            $"The code of version {version.Version} of function '{version.Function}' can't be read just now: {reason}. Check the bucket; for "
                + $"a version that failed: select functions.retry_version('{version.Function}', {version.Version});"
        );
}
