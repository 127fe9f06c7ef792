using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// The database can't be migrated to the state that this sidecar needs. <see cref="Problems"/> has one line for each problem.
/// </summary>
/// <param name="problems">A line for each problem.</param>
/// <param name="refusal">The server's error, where there is one.</param>
public sealed class MigrationException(IReadOnlyList<string> problems, PostgresException? refusal = null)
    : Exception(string.Join(Environment.NewLine, problems), refusal)
{
    /// <summary>The problems, each with its remedy.</summary>
    public IReadOnlyList<string> Problems { get; } = problems;
}

/// <summary>What a migration did.</summary>
/// <param name="Applied">The migrations and functions that were applied, by file name.</param>
/// <param name="Warnings">What works only in part, each with the remedy.</param>
/// <param name="ServerVersion">As server_version_num counts.</param>
public sealed record MigrationReport(IReadOnlyList<string> Applied, IReadOnlyList<string> Warnings, int ServerVersion);
