namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>Either who manages, or the reason why nobody does; neither where the request carries no credential.</summary>
internal readonly struct ManagementResult
{
    private ManagementResult(Manager? manager, AuthRefusal refusal)
    {
        Manager = manager;
        Refusal = refusal;
    }

    /// <summary>Who manages; null when refused, and without a credential.</summary>
    public Manager? Manager { get; }

    /// <summary><see cref="AuthRefusal.None"/> when there is a manager, and without a credential.</summary>
    public AuthRefusal Refusal { get; }

    public static implicit operator ManagementResult(Manager manager) => new(manager, AuthRefusal.None);

    public static implicit operator ManagementResult(AuthRefusal refusal) => new(null, refusal);
}
