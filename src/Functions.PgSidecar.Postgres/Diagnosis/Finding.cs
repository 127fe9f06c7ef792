namespace Functions.PgSidecar.Postgres.Diagnosis;

/// <summary>How much a finding matters.</summary>
public enum FindingKind
{
    /// <summary>As it should be.</summary>
    Fine,

    /// <summary>The sidecar works, but the operator should know.</summary>
    Advice,

    /// <summary>The sidecar, or row changes, do not work without it.</summary>
    Missing,
}

/// <summary>One line about a server.</summary>
/// <param name="Kind">How much it matters.</param>
/// <param name="Text">What was found, and what to do; without a line break or a password.</param>
public sealed record Finding(FindingKind Kind, string Text);
