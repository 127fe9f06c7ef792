namespace Functions.PgSidecar.Benchmarks.Report;

/// <summary>One line of the table.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Unit">Of both values.</param>
/// <param name="Ours">The sidecar's value.</param>
/// <param name="Peer">What it is compared with, or <see langword="null"/>.</param>
/// <param name="Goal">What it is meant to be, or <see langword="null"/> where the figure is for information.</param>
internal sealed record Measurement(string Name, string Unit, double Ours, Peer? Peer = null, Goal? Goal = null)
{
    /// <summary>Ours as a multiple of the peer's.</summary>
    public double? Ratio => Peer is null ? null : Ours / Peer.Value;

    /// <summary>Whether the goal is reached; <see langword="null"/> where there is none, or nothing to compare with.</summary>
    public bool? IsMet =>
        Goal?.Kind switch
        {
            GoalKind.ValueAtMost => Ours <= Goal.Limit,
            GoalKind.ValueAtLeast => Ours >= Goal.Limit,
            GoalKind.RatioAtMost when Ratio is { } ratio => ratio <= Goal.Limit,
            GoalKind.RatioAtLeast when Ratio is { } ratio => ratio >= Goal.Limit,
            _ => null,
        };
}

/// <summary>The same thing measured elsewhere.</summary>
internal sealed record Peer(string Name, double Value);

/// <summary>What a goal limits.</summary>
internal enum GoalKind
{
    /// <summary>Our own value, from above.</summary>
    ValueAtMost,

    /// <summary>Our own value, from below.</summary>
    ValueAtLeast,

    /// <summary>The ratio to the peer, from above.</summary>
    RatioAtMost,

    /// <summary>The ratio to the peer, from below.</summary>
    RatioAtLeast,
}

/// <summary>What a figure is meant to be.</summary>
internal sealed record Goal(GoalKind Kind, double Limit)
{
    public static Goal AtMost(double value) => new(GoalKind.ValueAtMost, value);

    public static Goal AtLeast(double value) => new(GoalKind.ValueAtLeast, value);

    public static Goal RatioAtMost(double ratio) => new(GoalKind.RatioAtMost, ratio);

    public static Goal RatioAtLeast(double ratio) => new(GoalKind.RatioAtLeast, ratio);
}
