using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.Registry;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Code;

/// <summary>
/// Reads a version's code from the table or from a bucket, and from the other place if a copy is missing or wrong. Nothing is compiled
/// whose SHA-256 is not the one that was recorded at the deploy, so whoever can write to a bucket can break functions, and not change them.
/// </summary>
internal sealed class CodeReader(CodeStore store, CodeBuckets buckets, CodeMetrics metrics, ILogger<CodeReader> logger)
{
    /// <summary>The version with its code.</summary>
    /// <exception cref="SidecarException">PGFN2425: no copy is right. PGFN2426: a bucket can't be reached, and no other copy is
    /// right.</exception>
    public async Task<VersionArtifact> ReadAsync(VersionArtifact version, CancellationToken cancellationToken)
    {
        var failures = new List<CodeCopyException>();
        foreach (var place in PlacesOf(version))
        {
            try
            {
                var code = await ReadAsync(version, place, cancellationToken).ConfigureAwait(false);
                if (failures.Count > 0)
                    await ReportAsync(version, failures).ConfigureAwait(false);
                return With(version, code);
            }
            catch (CodeCopyException e)
            {
                metrics.CountFailure(place is null ? "table" : "bucket");
                CodeLog.CopyUnusable(logger, version.Function, version.Version, e.Message);
                failures.Add(e);
            }
        }
        await ReportAsync(version, failures).ConfigureAwait(false);
        var reasons = string.Join("; ", failures.Select(static failure => failure.Message));
        throw failures.Exists(static failure => failure.IsPassing)
            ? CodeErrors.Unreachable(version, reasons)
            : CodeErrors.Unusable(version, reasons);
    }

    /// <summary>Reads one copy, and verifies it.</summary>
    /// <param name="version">The version.</param>
    /// <param name="place">The object; null: the version's row.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="CodeCopyException">The copy is missing, wrong, or can't be read.</exception>
    public async Task<byte[]> ReadAsync(VersionArtifact version, StoredCode? place, CancellationToken cancellationToken)
    {
        var code = place is null ? RowOf(version) : await buckets.ReadAsync(place, cancellationToken).ConfigureAwait(false);
        if (code is null || !SHA256.HashData(code).AsSpan().SequenceEqual(version.SourceHash))
            throw new CodeCopyException(
                place is null
                    ? "the code in functions_private.versions is not what was deployed"
                    : $"the object '{place.Key}' of the bucket '{place.Bucket}' is not what was deployed",
                isPassing: false
            );
        return code;
    }

    /// <summary>The code in the version's row; null if it has none.</summary>
    public static byte[]? RowOf(VersionArtifact version) =>
        version.Module ?? (version.Source is { } source ? Encoding.UTF8.GetBytes(source) : null);

    private static VersionArtifact With(VersionArtifact version, byte[] code) =>
        version.Language == "wasm" ? version with { Module = code } : version with { Source = Encoding.UTF8.GetString(code) };

    /// <summary>The preferred one first; null is the version's row.</summary>
    private static IEnumerable<StoredCode?> PlacesOf(VersionArtifact version)
    {
        var hasRow = version.Source is not null || version.Module is not null;
        if (hasRow && !version.PrefersBucket)
            yield return null;
        if (version.InBucket is { } place)
            yield return place;
        if (hasRow && version.PrefersBucket)
            yield return null;
    }

    private async Task ReportAsync(VersionArtifact version, List<CodeCopyException> failures)
    {
        try
        {
            var reasons = string.Join("; ", failures.Select(static failure => failure.Message));
            await store.ReportAsync(version.Id, reasons, CancellationToken.None).ConfigureAwait(false);
        }
        catch (DbException e)
        {
            CodeLog.NotReported(logger, version.Function, version.Version, e.Message);
        }
    }
}
