using System.Globalization;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Core.Auth;

namespace Functions.PgSidecar.Tests.Unit.Architecture;

/// <summary>The manual names each metric and each error code, names no other, and its links lead somewhere.</summary>
public sealed partial class DocumentationTests
{
    internal static readonly string Root = FindRoot();

    [Fact]
    public void Documentation_lists_exactly_the_metrics_that_exist()
    {
        var shown = Matches(MetricInCode(), Sources());
        var documented = Matches(MetricInTable(), [Path.Combine(Root, "docs", "http.md")]);

        Assert.NotEmpty(shown);
        Assert.Equal(shown.Order(), documented.Order());
    }

    [Fact]
    public void The_catalogue_has_every_error_code_and_nothing_else()
    {
        var raised = Matches(ErrorLiteral(), Sources());
        raised.UnionWith(Matches(NamedErrorLiteral(), Sources()).Where(code => !NotErrors.Contains(code) && !IsSetting(code)));
        raised.UnionWith(Matches(StatedStatus(), Sources()));
        raised.UnionWith(Matches(StatedOutcome(), Sources()));
        raised.UnionWith(Matches(NamedErrorInSql(), SqlSources()));
        raised.UnionWith(AuthCodes().Select(pair => pair.Code));

        Assert.NotEmpty(raised);
        Assert.Equal(raised.Order(StringComparer.Ordinal), Catalogue().Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_catalogue_has_the_status_that_the_code_states()
    {
        var catalogue = Catalogue();
        var stated = Sources()
            .SelectMany(file => StatedStatus().Matches(File.ReadAllText(file)))
            .Select(match => (Code: match.Groups["code"].Value, Status: match.Groups["status"].Value))
            .Concat(AuthCodes())
            .ToLookup(pair => pair.Code, pair => pair.Status);

        Assert.NotEmpty(stated);
        Assert.All(stated, group => Assert.Equal(string.Join(", ", group.Distinct().Order(StringComparer.Ordinal)), catalogue[group.Key]));
    }

    [Fact]
    public void No_other_page_lists_error_codes()
    {
        var pages = Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md").Where(page => Path.GetFileName(page) != "errors.md");

        Assert.Empty(Matches(CatalogueRow(), pages).Intersect(Catalogue().Keys));
    }

    [Fact]
    public void Every_link_between_pages_leads_to_a_file_and_a_heading() => Assert.Empty(Pages().SelectMany(BrokenLinks));

    private static bool IsSetting(string name) =>
        name.StartsWith("PG", StringComparison.Ordinal) || name.StartsWith("OTEL_", StringComparison.Ordinal);

    private static IEnumerable<string> BrokenLinks(string page)
    {
        foreach (Match link in LocalLink().Matches(Prose(page)))
        {
            var file = link.Groups["file"].Value;
            var target = file.Length == 0 ? page : Path.GetFullPath(file, Path.GetDirectoryName(page)!);
            var exists = File.Exists(target) || Directory.Exists(target);
            if (!exists || (link.Groups["heading"] is { Success: true, Value: var heading } && !Anchors(target).Contains(heading)))
                yield return $"{Path.GetRelativePath(Root, page)}: {link.Value}";
        }
    }

    /// <summary>The README, the guide for contributors, the changelog and everything in docs/.</summary>
    private static IEnumerable<string> Pages() =>
        Directory
            .EnumerateFiles(Root, "*.md")
            .Append(Path.Combine(Root, "examples", "README.md"))
            .Concat(Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md", SearchOption.AllDirectories));

    /// <summary>A page without its blocks of code.</summary>
    private static string Prose(string page) => CodeBlock().Replace(File.ReadAllText(page), "");

    /// <summary>The anchors of a page's headings, as GitHub makes them: lower case, without punctuation, hyphens for blanks.</summary>
    private static HashSet<string> Anchors(string page) =>
        [
            .. Heading()
                .Matches(Prose(page))
                .Select(heading => Punctuation().Replace(heading.Groups["text"].Value.ToLowerInvariant(), "").Replace(' ', '-')),
        ];

    /// <summary>Literals in capitals that are no error codes.</summary>
    private static readonly HashSet<string> NotErrors = ["API_KEY", "DATABASE_URL", "DOTNET_ROOT", "PRIVATE_KEY"];

    /// <summary>Each code of docs/errors.md, once, and the statuses beside it; empty where it has none.</summary>
    private static Dictionary<string, string> Catalogue() =>
        CatalogueRow()
            .Matches(File.ReadAllText(Path.Combine(Root, "docs", "errors.md")))
            .ToDictionary(row => row.Groups["code"].Value, row => row.Groups["status"].Value.Trim(), StringComparer.Ordinal);

    private static IEnumerable<(string Code, string Status)> AuthCodes() =>
        Enum.GetValues<AuthRefusal>()
            .Where(refusal => refusal != AuthRefusal.None)
            .Select(refusal => (refusal.Code(), refusal.Status().ToString(CultureInfo.InvariantCulture)));

    private static HashSet<string> Matches(Regex pattern, IEnumerable<string> files) =>
        [.. files.SelectMany(file => pattern.Matches(File.ReadAllText(file))).Select(match => match.Groups["code"].Value)];

    private static IEnumerable<string> Sources() =>
        Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.cs", SearchOption.AllDirectories);

    private static IEnumerable<string> SqlSources() =>
        new[] { "sql", "migrations" }.SelectMany(folder =>
            Directory.EnumerateFiles(Path.Combine(Root, folder), "*.sql", SearchOption.AllDirectories)
        );

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Directory.Packages.props")))
            folder = folder.Parent;
        return folder.FullName;
    }

    [GeneratedRegex(@"\bmeter\.Create\w+(?:<\w+>)?\(\s*""(?<code>functions_[a-z_]+)""")]
    private static partial Regex MetricInCode();

    [GeneratedRegex("(?m)(?<=^\\|[^|\n]*)`(?<code>functions_[a-z_]+)`(?=[^|\n]*\\| (?:counter|gauge|histogram) )")]
    private static partial Regex MetricInTable();

    /// <summary>A code of four digits, quoted.</summary>
    [GeneratedRegex(@"""(?<code>PGFN[0-9]{4})""")]
    private static partial Regex ErrorLiteral();

    /// <summary>Words in capitals that are joined by underscores, quoted: settings as well.</summary>
    [GeneratedRegex(@"""(?<code>[A-Z]+(?:_[A-Z]+)+)""")]
    private static partial Regex NamedErrorLiteral();

    /// <summary>The same in SQL.</summary>
    [GeneratedRegex("'(?<code>[A-Z]+(?:_[A-Z]+)+)'")]
    private static partial Regex NamedErrorInSql();

    /// <summary>A code with its status: of a <c>SidecarException</c>, of an answer, of an outcome.</summary>
    [GeneratedRegex(
        @"\bnew(?: SidecarException)?\(\s*""(?<code>PGFN[0-9]{4})"",\s*(?<status>[0-9]{3})\b|StatusCodes\.Status(?<status>[0-9]{3})\w+,\s*""(?<code>[A-Z0-9_]+)""|InvocationOutcome\.\w+,\s*(?<status>[0-9]{3}),\s*""(?<code>[A-Z_]+)"""
    )]
    private static partial Regex StatedStatus();

    /// <summary>A code of an outcome without a status.</summary>
    [GeneratedRegex(@"InvocationOutcome\.\w+,(?:\s*default,)*\s*""(?<code>[A-Z_]+)""")]
    private static partial Regex StatedOutcome();

    /// <summary>The beginning of a table's row: the code in backticks, and the next column.</summary>
    [GeneratedRegex(@"(?m)^\| `(?<code>[A-Z][A-Z0-9_]{3,})` \|(?<status>[^|]*)\|")]
    private static partial Regex CatalogueRow();

    [GeneratedRegex(@"\]\((?!https?:)(?<file>[^)#\s]*)(?:#(?<heading>[^)\s]+))?\)")]
    private static partial Regex LocalLink();

    [GeneratedRegex("(?ms)^ *```.*?^ *```")]
    private static partial Regex CodeBlock();

    [GeneratedRegex("(?m)^#+ (?<text>.*?)\\s*$")]
    private static partial Regex Heading();

    [GeneratedRegex("[^a-z0-9 _-]")]
    private static partial Regex Punctuation();
}
