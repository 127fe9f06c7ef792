using System.Text.RegularExpressions;

namespace Functions.PgSidecar.Tests.Unit.Architecture;

/// <summary>Rules of the SQL in <c>sql</c> and <c>migrations</c>, and of the statements that sidecars send.</summary>
public sealed partial class SqlRuleTests
{
    /// <summary>Advisory locks need no right: whoever can connect could hold one of ours, and stop what waits for it.</summary>
    [Fact]
    public void Routines_take_no_lock_that_any_login_can_hold()
    {
        var files = new[] { "sql", "migrations" }
            .SelectMany(folder =>
                Directory.EnumerateFiles(Path.Combine(DocumentationTests.Root, folder), "*.sql", SearchOption.AllDirectories)
            )
            .ToList();

        Assert.NotEmpty(files);
        // A function of pgmq's API that is such a lock. Nothing in these folders calls it.
        Assert.Equal(
            ["acquire_queue_lock.sql"],
            files.Where(file => AdvisoryLock().IsMatch(File.ReadAllText(file))).Select(file => Path.GetFileName(file))
        );
        Assert.Single(files, file => File.ReadAllText(file).Contains("acquire_queue_lock(", StringComparison.Ordinal));
    }

    /// <summary>
    /// A sidecar keeps statements prepared while a newer one migrates. If a routine gets another column then, "select *" of it fails:
    /// cached plan must not change result type.
    /// </summary>
    [Fact]
    public void Sidecars_name_the_columns_that_they_read_of_a_routine()
    {
        var files = Directory.EnumerateFiles(Path.Combine(DocumentationTests.Root, "src"), "*.cs", SearchOption.AllDirectories).ToList();

        Assert.Contains(files, file => File.ReadAllText(file).Contains("from functions_private.claim_events(", StringComparison.Ordinal));
        Assert.Equal([], files.Where(file => StarOfRoutine().IsMatch(File.ReadAllText(file))));
    }

    [GeneratedRegex(@"select \*\s+from functions(_\w+)?\.\w+\(\$")]
    private static partial Regex StarOfRoutine();

    [GeneratedRegex(@"pg_(try_)?advisory_(xact_)?lock(_shared)?\(")]
    private static partial Regex AdvisoryLock();
}
