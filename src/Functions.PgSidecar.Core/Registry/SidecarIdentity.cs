namespace Functions.PgSidecar.Core.Registry;

/// <summary>Identifies this process among the sidecars of the database.</summary>
internal sealed record SidecarIdentity(Guid Id);
