namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>Guest code threw when the host called it.</summary>
internal sealed class GuestException(GuestError error) : Exception(error.Message)
{
    public GuestError Error { get; } = error;
}

/// <summary>The guest's memory has no space for data that the host must copy into it.</summary>
internal sealed class GuestMemoryException : Exception;
