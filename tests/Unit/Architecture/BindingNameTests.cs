using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Core.Aerodb;
using Functions.PgSidecar.Core.Bindings;

namespace Functions.PgSidecar.Tests.Unit.Architecture;

/// <summary>The sandbox passes operations on, and knows none of the bindings that serve them.</summary>
public sealed partial class BindingNameTests
{
    [Fact]
    public void The_sandbox_names_no_binding_and_no_operation_of_one()
    {
        // A binding's name needs none of the services that its constructor takes.
        var names = typeof(IBinding)
            .Assembly.GetTypes()
            .Where(static type => type.IsClass && type.IsAssignableTo(typeof(IBinding)))
            .Select(static type => ((IBinding)RuntimeHelpers.GetUninitializedObject(type)).Name)
            .Append(AerodbImports.Module.Name)
            .ToHashSet(StringComparer.Ordinal);
        var named = Directory
            .EnumerateFiles(Path.Combine(DocumentationTests.Root, "src/Functions.PgSidecar.Sandbox"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(static file => Literal().Matches(File.ReadAllText(file)).Select(match => (Path.GetFileName(file), match)))
            .Where(pair => names.Contains(pair.match.Groups["name"].Value))
            .Select(static pair => $"{pair.Item1}: {pair.match.Value}");

        Assert.Contains("db", names);
        Assert.Empty(named);
    }

    /// <summary>A literal that is a name, or an operation: a name, a dot and more.</summary>
    [GeneratedRegex(@"""(?<name>[a-z]+)(?:\.[A-Za-z.]+)?""")]
    private static partial Regex Literal();
}
