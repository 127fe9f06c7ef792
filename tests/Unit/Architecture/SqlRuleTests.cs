using System.Text.RegularExpressions;

namespace Functions.PgSidecar.Tests.Unit.Architecture;

/// <summary>Rules of the SQL in <c>sql</c> and <c>migrations</c>.</summary>
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

    [GeneratedRegex(@"pg_(try_)?advisory_(xact_)?lock(_shared)?\(")]
    private static partial Regex AdvisoryLock();
}
