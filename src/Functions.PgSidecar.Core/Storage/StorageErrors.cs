using System.Globalization;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>
/// The failures of operations on buckets. Those that R2 has too carry its message and its number; the binding puts the operation's name
/// before the message, as R2 does.
/// </summary>
internal static class StorageErrors
{
    /// <summary>What the codes of all of them begin with.</summary>
    public const string CodePrefix = "PGFN58";

    /// <summary>The code of a refusal by the bucket's policies or an object's owner.</summary>
    public const string ForbiddenCode = "PGFN5803";

    public static SidecarException NoBucket(string name) =>
        new("PGFN5801", 404, $"There is no bucket '{(name.Length <= 64 ? name : name[..64] + "...")}'; functions.create_bucket makes one.");

    public static SidecarException InvalidKey() => new("PGFN5802", 400, "The specified object name is not valid. (10020)");

    public static SidecarException Forbidden(string role, string right, string bucket) =>
        new(ForbiddenCode, 403, $"The role {role} has no right to {right} this in the bucket '{bucket}' (functions.create_bucket).");

    public static SidecarException NoSubject(string bucket) =>
        new(ForbiddenCode, 403, $"Objects of the bucket '{bucket}' belong to users, and the caller's token names none (sub).");

    public static SidecarException OthersObject() => new(ForbiddenCode, 403, "The object belongs to another user.");

    public static SidecarException TooLarge() =>
        new("PGFN5804", 413, "Your proposed upload exceeds the maximum allowed object size. (100100)");

    public static SidecarException MetadataTooLarge() =>
        new("PGFN5804", 413, "Your metadata headers exceed the maximum allowed metadata size. (10012)");

    public static SidecarException Full(string bucket) =>
        new("PGFN5805", 507, $"The bucket '{bucket}' is full (max_bytes of functions.create_bucket).");

    public static SidecarException WrongDigest(string algorithm, ReadOnlySpan<byte> given, ReadOnlySpan<byte> actual) =>
        new(
            "PGFN5806",
            400,
            $"The {algorithm} checksum you specified did not match what we received.\nYou provided a {algorithm} checksum with value: "
                + $"{Convert.ToHexStringLower(given)}\nActual {algorithm} was: {Convert.ToHexStringLower(actual)} (10037)"
        );

    public static SidecarException NotSatisfiable() => new("PGFN5807", 416, "The requested range is not satisfiable (10039)");

    /// <summary>The code of an upload that does not exist.</summary>
    public const string NoUploadCode = "PGFN5808";

    public static SidecarException ServiceFailed(string reason, Exception innerException) =>
        new("PGFN5813", 502, $"The bucket's S3 service failed: {reason}", innerException);

    public static SidecarException Held(string name) =>
        new(
            "PGFN5814",
            403,
            $"This database is a copy, and the bucket '{name}' is in the original's S3: functions.adopt('deliver') if the original is gone, "
                + "else functions.create_bucket with another place."
        );

    public static SidecarException NoUpload() => new(NoUploadCode, 404, "The specified multipart upload does not exist. (10024)");

    public static SidecarException NoPart() => new("PGFN5809", 400, "One or more of the specified parts could not be found. (10025)");

    public static SidecarException PartTooSmall() =>
        new("PGFN5809", 400, "Your proposed upload is smaller than the minimum allowed object size. (10011)");

    public static SidecarException UnequalParts() => new("PGFN5809", 400, "There was a problem with the multipart upload. (10048)");

    public static SidecarException InvalidMaxKeys() => new("PGFN5810", 400, "MaxKeys params must be positive integer <= 1000. (10022)");

    public static SidecarException InvalidArgument(string what) => new("PGFN5810", 400, $"{what} (10029)");

    public static SidecarException TooManyOpen(int most) =>
        new(
            "PGFN5811",
            429,
            string.Create(
                CultureInfo.InvariantCulture,
                $"More than {most} streams of objects are open; finish or cancel some of them first."
            )
        );

    public static SidecarException Lost() =>
        new("PGFN5812", 503, "The operation was interrupted, and a part of the object is lost; repeat it. (10001)");
}
