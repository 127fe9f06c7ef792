namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>Either a manager, or the reason for the refusal; neither if the request has no credential.</summary>
internal readonly struct ManagementResult
{
    private ManagementResult(Manager? manager, AuthRefusal refusal)
    {
        Manager = manager;
        Refusal = refusal;
    }

    /// <summary>The manager; null if refused, or without a credential.</summary>
    public Manager? Manager { get; }

    /// <summary><see cref="AuthRefusal.None"/> if there is a manager, or no credential.</summary>
    public AuthRefusal Refusal { get; }

    public static implicit operator ManagementResult(Manager manager) => new(manager, AuthRefusal.None);

    public static implicit operator ManagementResult(AuthRefusal refusal) => new(null, refusal);
}
