using System.Net;
using Amazon.Runtime;
using Amazon.S3;

namespace Functions.PgSidecar.Core.Storage.S3;

/// <summary>Calls of a service, whose failures become those of operations on buckets.</summary>
internal static class S3Calls
{
    /// <summary>Calls it.</summary>
    /// <exception cref="SidecarException">PGFN5813: the service failed or refused; or a code of its own for what is expected.</exception>
    public static async Task<T> CallAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return await call().ConfigureAwait(false);
        }
        catch (AmazonS3Exception e)
        {
            throw e.ErrorCode switch
            {
                "NoSuchUpload" => StorageErrors.NoUpload(),
                "InvalidPart" or "InvalidPartOrder" => StorageErrors.NoPart(),
                "EntityTooSmall" => StorageErrors.PartTooSmall(),
                "EntityTooLarge" => StorageErrors.TooLarge(),
                "InvalidRange" => StorageErrors.NotSatisfiable(),
                _ => StorageErrors.ServiceFailed($"{e.ErrorCode}: {e.Message}", e),
            };
        }
        catch (Exception e) when (e is AmazonClientException or HttpRequestException or IOException)
        {
            throw StorageErrors.ServiceFailed(e.GetBaseException() is SidecarException refused ? refused.Message : e.Message, e);
        }
    }

    /// <summary>The same; null if the service says that there is no such object, or that it is another one than expected.</summary>
    public static Task<T?> TryCallAsync<T>(Func<Task<T>> call)
        where T : class =>
        CallAsync(async () =>
        {
            try
            {
                return await call().ConfigureAwait(false);
            }
            catch (AmazonS3Exception e)
                when (e.ErrorCode != "NoSuchUpload"
                    && e.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict
                )
            {
                return null;
            }
        });
}
