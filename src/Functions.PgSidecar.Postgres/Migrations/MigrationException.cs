namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>The database can't be brought to what this sidecar needs. <see cref="Problems"/> has one line for each thing that is missing.</summary>
public sealed class MigrationException(IReadOnlyList<string> problems) : Exception(string.Join(Environment.NewLine, problems))
{
    /// <summary>What is missing or wrong, each with what to do about it.</summary>
    public IReadOnlyList<string> Problems { get; } = problems;
}

/// <summary>What a migration did.</summary>
/// <param name="Applied">The migrations and functions that were applied, by file name.</param>
/// <param name="Warnings">What works with less than it could, each with what to do about it.</param>
/// <param name="ServerVersion">As server_version_num counts.</param>
public sealed record MigrationReport(IReadOnlyList<string> Applied, IReadOnlyList<string> Warnings, int ServerVersion);
