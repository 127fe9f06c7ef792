using System.Reflection;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Tests.Unit.Architecture;

/// <summary>Which project may reference which: see the table of projects in docs/architecture.md.</summary>
public sealed class ProjectReferenceTests
{
    private static readonly Assembly Sandbox = typeof(JavaScriptEngine).Assembly;
    private static readonly Assembly Postgres = typeof(FunctionDatabase).Assembly;
    private static readonly Assembly Core = typeof(SidecarException).Assembly;

    [Fact]
    public void Sandbox_and_Postgres_reference_no_project_of_ours()
    {
        Assert.DoesNotContain(References(Sandbox), IsOurs);
        Assert.DoesNotContain(References(Postgres), IsOurs);
    }

    [Fact]
    public void Sandbox_does_not_reference_Npgsql() =>
        Assert.DoesNotContain(References(Sandbox), name => name.StartsWith("Npgsql", StringComparison.Ordinal));

    [Fact]
    public void Only_the_executable_references_ASP_NET_Core()
    {
        foreach (var assembly in new[] { Sandbox, Postgres, Core })
            Assert.DoesNotContain(References(assembly), name => name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));
    }

    /// <summary>Stores turn them into results. The other files named here talk to the server themselves.</summary>
    [Fact]
    public void Only_what_talks_to_the_server_handles_its_exceptions()
    {
        string[] talkers = ["Backfill.cs", "ConditionEvaluator.cs", "PayloadFilter.cs", "TableChange.cs", "WalFeed.cs"];
        var handlers = new[] { "src/Functions.PgSidecar.Core", "src/Functions.PgSidecar/Http" }
            .SelectMany(folder =>
                Directory.EnumerateFiles(Path.Combine(DocumentationTests.Root, folder), "*.cs", SearchOption.AllDirectories)
            )
            .Where(file =>
                File.ReadAllText(file).Contains("NpgsqlException", StringComparison.Ordinal)
                || File.ReadAllText(file).Contains("PostgresException", StringComparison.Ordinal)
            )
            .Select(file => Path.GetFileName(file))
            .Where(file => !file.EndsWith("Store.cs", StringComparison.Ordinal) && !file.EndsWith("Writer.cs", StringComparison.Ordinal));

        Assert.Equal(talkers, handlers.Order(StringComparer.Ordinal));
    }

    private static bool IsOurs(string name) => name.StartsWith("Functions.PgSidecar", StringComparison.Ordinal) || name == "pgfn";

    private static IEnumerable<string> References(Assembly assembly) =>
        assembly.GetReferencedAssemblies().Select(reference => reference.Name!);
}
