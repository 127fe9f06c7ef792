using System.Text.RegularExpressions;

namespace Functions.PgSidecar.Tests.Unit.Architecture;

/// <summary>The manual names what the product shows: each metric and each error code.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string Root = FindRoot();

    [Fact]
    public void Every_metric_is_documented_and_nothing_else()
    {
        var shown = Matches(MetricInCode(), Sources());
        var documented = Matches(MetricInTable(), [Path.Combine(Root, "docs", "http.md")]);

        Assert.NotEmpty(shown);
        Assert.Equal(shown.Order(), documented.Order());
    }

    [Fact]
    public void Every_error_code_is_documented()
    {
        var raised = Matches(ErrorCode(), Sources());
        var documented = Matches(ErrorCode(), Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md"));

        Assert.NotEmpty(raised);
        Assert.Empty(raised.Except(documented).Order());
    }

    private static HashSet<string> Matches(Regex pattern, IEnumerable<string> files) =>
        [.. files.SelectMany(file => pattern.Matches(File.ReadAllText(file))).Select(match => match.Groups[^1].Value)];

    private static IEnumerable<string> Sources() => Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.cs", SearchOption.AllDirectories);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Directory.Packages.props")))
            folder = folder.Parent;
        return folder.FullName;
    }

    [GeneratedRegex("\"(functions_(?!private|changed|events\"|events_changes\")[a-z_]+?)\"")]
    private static partial Regex MetricInCode();

    [GeneratedRegex("(?m)(?<=^\\|[^|\n]*)`(functions_[a-z_]+)`(?=[^|\n]*\\| (?:counter|gauge|histogram) )")]
    private static partial Regex MetricInTable();

    [GeneratedRegex("PGFN[0-9]{4}")]
    private static partial Regex ErrorCode();
}
