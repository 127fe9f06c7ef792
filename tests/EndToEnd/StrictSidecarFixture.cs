namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>A sidecar whose functions reach public hosts only, which is the default, and its database.</summary>
public sealed class StrictSidecarFixture : SidecarFixture
{
    private protected override (string Name, string Value)[] Settings => [];
}
