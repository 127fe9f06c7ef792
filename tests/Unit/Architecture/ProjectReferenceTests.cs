using System.Reflection;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Tests.Unit.Architecture;

/// <summary>Who may know whom: see the table of projects in docs/architecture.md.</summary>
public sealed class ProjectReferenceTests
{
    private static readonly Assembly Sandbox = typeof(JavaScriptEngine).Assembly;
    private static readonly Assembly Postgres = typeof(RegistryStore).Assembly;
    private static readonly Assembly Core = typeof(SidecarException).Assembly;

    [Fact]
    public void The_sandbox_and_the_database_know_nothing_of_ours()
    {
        Assert.DoesNotContain(References(Sandbox), IsOurs);
        Assert.DoesNotContain(References(Postgres), IsOurs);
    }

    [Fact]
    public void The_sandbox_knows_no_database_and_the_database_no_sandbox() =>
        Assert.DoesNotContain(References(Sandbox), name => name.StartsWith("Npgsql", StringComparison.Ordinal));

    [Fact]
    public void Only_the_executable_knows_the_web_server()
    {
        foreach (var assembly in new[] { Sandbox, Postgres, Core })
            Assert.DoesNotContain(References(assembly), name => name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));
    }

    private static bool IsOurs(string name) => name.StartsWith("Functions.PgSidecar", StringComparison.Ordinal) || name == "pgfn";

    private static IEnumerable<string> References(Assembly assembly) => assembly.GetReferencedAssemblies().Select(reference => reference.Name!);
}
