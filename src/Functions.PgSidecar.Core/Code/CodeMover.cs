using Functions.PgSidecar.Core.Registry;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Code;

/// <summary>
/// Moves the code of versions between the table and a bucket: writes the copy, reads it back, verifies it, records it, and only then
/// removes the former one. Wherever it is interrupted, the version has a copy that is recorded, and what else was written is removed.
/// </summary>
internal sealed class CodeMover(
    CodeStore store,
    RegistryStore registry,
    CodeReader reader,
    CodeBuckets buckets,
    CodeMetrics metrics,
    ILogger<CodeMover> logger
)
{
    /// <summary>Moves one version.</summary>
    /// <returns>False if none waits.</returns>
    public async Task<bool> MoveNextAsync(CancellationToken cancellationToken)
    {
        if (await store.ClaimMoveAsync(cancellationToken).ConfigureAwait(false) is not { } move)
            return false;
        if (await registry.LoadArtifactAsync(move.Id, cancellationToken).ConfigureAwait(false) is not { } version)
            return true;
        try
        {
            await MoveAsync(version, move, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SidecarException or CodeCopyException)
        {
            CodeLog.NotMoved(logger, version.Function, version.Version, move.Target, e.Message);
            await store.ReportAsync(move.Id, e.Message, cancellationToken).ConfigureAwait(false);
        }
        return true;
    }

    /// <summary>Removes objects that no version has any more.</summary>
    public async Task CleanUpAsync(CancellationToken cancellationToken)
    {
        foreach (var (bucket, key) in await store.UnwantedAsync(cancellationToken).ConfigureAwait(false))
        {
            await buckets.DeleteAsync(bucket, key, cancellationToken).ConfigureAwait(false);
            await store.ForgetAsync(bucket, key, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task MoveAsync(VersionArtifact version, CodeMove move, CancellationToken cancellationToken)
    {
        var verified = await reader.ReadAsync(version, cancellationToken).ConfigureAwait(false);
        var (place, written) = (default(StoredCode), false);
        if (move.Target != "table")
        {
            place = version.InBucket is { } present && present.Bucket == move.Bucket ? present : null;
            if (place is null || !await IsRightAsync(version, place, cancellationToken).ConfigureAwait(false))
            {
                place = await WriteAsync(verified, move.Bucket!, cancellationToken).ConfigureAwait(false);
                written = true;
            }
        }
        var lacksRow = move.Target != "bucket" && !await IsRightAsync(version, place: null, cancellationToken).ConfigureAwait(false);
        var done = await store
            .CompleteMoveAsync(move, place, lacksRow ? verified.Source : null, lacksRow ? verified.Module : null)
            .ConfigureAwait(false);
        if (done)
        {
            metrics.CountMove(move.Target);
            CodeLog.Moved(logger, version.Function, version.Version, move.Target);
        }
        else if (written)
        {
            await store.AbandonAsync(place!).ConfigureAwait(false);
        }
    }

    /// <summary>Writes an object, and reads it back.</summary>
    private async Task<StoredCode> WriteAsync(VersionArtifact version, string bucket, CancellationToken cancellationToken)
    {
        var code = CodeReader.RowOf(version)!;
        var ending = version.Language == "wasm" ? "wasm" : "js";
        var place = new StoredCode(bucket, $"{version.Function}/{version.Version}-{Guid.NewGuid():N}.{ending}", code.Length);
        await store.BeginObjectAsync(version.Id, place, cancellationToken).ConfigureAwait(false);
        try
        {
            await buckets.WriteAsync(place, code, cancellationToken).ConfigureAwait(false);
            await reader.ReadAsync(version, place, cancellationToken).ConfigureAwait(false);
            return place;
        }
        catch
        {
            await store.AbandonAsync(place).ConfigureAwait(false);
            throw;
        }
    }

    private async Task<bool> IsRightAsync(VersionArtifact version, StoredCode? place, CancellationToken cancellationToken)
    {
        try
        {
            await reader.ReadAsync(version, place, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (CodeCopyException e) when (!e.IsPassing)
        {
            return false;
        }
    }
}
