namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>Guest code threw where the host called it.</summary>
internal sealed class GuestException(GuestError error) : Exception(error.Message)
{
    public GuestError Error { get; } = error;
}

/// <summary>The guest's memory is too full for what the host has to put in.</summary>
internal sealed class GuestMemoryException : Exception;
