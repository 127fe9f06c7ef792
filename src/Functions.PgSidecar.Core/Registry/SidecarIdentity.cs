namespace Functions.PgSidecar.Core.Registry;

/// <summary>Tells this process from other sidecars of the same database.</summary>
internal sealed record SidecarIdentity(Guid Id);
