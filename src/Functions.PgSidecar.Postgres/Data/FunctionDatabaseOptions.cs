namespace Functions.PgSidecar.Postgres.Data;

/// <summary>Limits and sizes of <see cref="FunctionDatabase"/>.</summary>
public sealed record FunctionDatabaseOptions
{
    /// <summary>Connections per role; 20 by default.</summary>
    public int MaxPoolSize { get; init; } = 20;

    /// <summary>The most a statement's result may take as JSON, in bytes; 32 MiB by default.</summary>
    public int MaxResultBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>How long to wait for a connection to be opened; 5 s by default.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
