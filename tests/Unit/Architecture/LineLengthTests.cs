namespace Functions.PgSidecar.Tests.Unit.Architecture;

/// <summary>
/// Lines have at most 140 columns, as .editorconfig says. The formatter keeps C# code to that; these tests check what it does not break:
/// comments and other languages. Only a long text in quotes may make a line longer, because messages are found by searching for them.
/// </summary>
public sealed class LineLengthTests
{
    private const int MaxColumns = 140;

    /// <summary>A text of this many characters may stay on one line, whatever stands before it.</summary>
    private const int LongText = 60;

    [Theory]
    [InlineData("sql", "*.sql")]
    [InlineData("migrations", "*.sql")]
    [InlineData("examples", "*.sql")]
    [InlineData("scripts", "*.sh")]
    [InlineData("src/guest", "*.ts")]
    public void Lines_end_before_the_limit_unless_a_long_text_is_in_them(string folder, string pattern)
    {
        var tooLong = Lines(folder, pattern).Where(line => line.Text.Length > MaxColumns && LongestText(line.Text) < LongText);

        Assert.Equal([], tooLong.Select(line => line.Place));
    }

    [Theory]
    [InlineData("src")]
    [InlineData("tests")]
    public void Comments_in_the_code_end_before_the_limit(string folder)
    {
        var comments = Lines(folder, "*.cs").Where(line => line.Text.TrimStart().StartsWith("//", StringComparison.Ordinal));

        Assert.Equal([], comments.Where(line => line.Text.Length > MaxColumns).Select(line => line.Place));
    }

    private static IEnumerable<(string Place, string Text)> Lines(string folder, string pattern) =>
        Directory
            .EnumerateFiles(Path.Combine(DocumentationTests.Root, folder), pattern, SearchOption.AllDirectories)
            .Where(file => !file.Contains("node_modules", StringComparison.Ordinal) && !file.Contains("/dist/", StringComparison.Ordinal))
            .SelectMany(file =>
                File.ReadLines(file).Select((text, index) => ($"{Path.GetRelativePath(DocumentationTests.Root, file)}:{index + 1}", text))
            );

    /// <summary>The length of the longest text in quotes.</summary>
    private static int LongestText(string line) =>
        new[] { '\'', '"' }.Max(quote => Quoted(line, quote).Max(text => (int?)text.Length) ?? 0);

    /// <summary>Every second part of a line that is split at the quotes; a doubled quote is part of its text.</summary>
    private static IEnumerable<string> Quoted(string line, char quote) =>
        line.Replace(new string(quote, 2), "", StringComparison.Ordinal).Split(quote).Where((_, index) => index % 2 == 1);
}
