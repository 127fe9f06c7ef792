using System.CommandLine;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Database;
using Functions.PgSidecar.Postgres.Diagnosis;
using Npgsql;

namespace Functions.PgSidecar.Cli;

/// <summary>
/// <c>pgfn doctor</c>: reads the settings, the server's settings and the logins' rights, and says what is missing. It changes nothing.
/// </summary>
internal static class DoctorCommand
{
    private const int SomethingIsMissing = 1;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command(
            "doctor",
            "Check the settings, the server and the logins, and change nothing. Exit code 0: nothing is missing; 1: something is; "
                + "2: a setting is wrong."
        );
        command.SetAction(static (_, cancellationToken) => ExamineAsync(cancellationToken));
        return command;
    }

    private static async Task<int> ExamineAsync(CancellationToken cancellationToken)
    {
        if (Settings.Load() is not { } options)
            return Settings.ExitCode;
        var findings = new List<Finding>();
        try
        {
            await using var dataSource = Database.CreateDataSource(options);
            await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
            findings.AddRange(await ServerDiagnosis.ExamineAsync(connection, ConnectionBudget.Total(options.Limits), cancellationToken));
            var setting = options.ReplicationConnectionString == options.ConnectionString ? "DATABASE_URL" : "PGFN_REPLICATION_URL";
            findings.AddRange(
                await ReplicationDiagnosis.ExamineAsync(connection, options.ReplicationConnectionString, setting, cancellationToken)
            );
        }
        catch (NpgsqlException e)
        {
            findings.Add(new Finding(FindingKind.Missing, $"DATABASE_URL: {e.Message.ReplaceLineEndings(" ")}"));
        }
        AddSecretKey(findings, options);
        foreach (var finding in findings.OrderByDescending(static finding => finding.Kind))
            await Console.Out.WriteLineAsync($"{Word(finding.Kind)}{finding.Text}");
        return findings.Exists(static finding => finding.Kind == FindingKind.Missing) ? SomethingIsMissing : 0;
    }

    private static void AddSecretKey(List<Finding> findings, SidecarOptions options)
    {
        if (options.Secrets.Key is null)
            findings.Add(
                new Finding(
                    FindingKind.Advice,
                    $"PGFN_SECRET_KEY is not set: the key is in {options.Secrets.KeyFile}, which must outlive the container or machine."
                )
            );
    }

    private static string Word(FindingKind kind) =>
        kind switch
        {
            FindingKind.Missing => "missing: ",
            FindingKind.Advice => "advice:  ",
            _ => "ok:      ",
        };
}
