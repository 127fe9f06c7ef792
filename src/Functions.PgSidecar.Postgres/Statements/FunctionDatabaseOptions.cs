namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>Limits and sizes of <see cref="FunctionDatabase"/>.</summary>
public sealed record FunctionDatabaseOptions
{
    /// <summary>Connections per role; 20 by default.</summary>
    public int MaxPoolSize { get; init; } = 20;

    /// <summary>
    /// Connections per role that one function may hold; half of <see cref="MaxPoolSize"/> by default, and at least two where there are two:
    /// an invocation with an open transaction may send a statement beside it.
    /// </summary>
    public int ConnectionsPerFunction
    {
        get => Math.Min(field > 0 ? field : Math.Max(2, (MaxPoolSize + 1) / 2), MaxPoolSize);
        init;
    }

    /// <summary>The most a statement's result may take as JSON, in bytes; 32 MiB by default.</summary>
    public int MaxResultBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>How long to wait for a connection to become free, and for a new one to be opened; 5 s by default.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// After how long a session is replaced; 10 min by default. A backend keeps memory that callers made it allocate (temporary buffers,
    /// catalog caches), and no reset frees it.
    /// </summary>
    public TimeSpan SessionLifetime { get; init; } = TimeSpan.FromMinutes(10);
}
