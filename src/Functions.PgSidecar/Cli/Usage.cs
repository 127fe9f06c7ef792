namespace Functions.PgSidecar.Cli;

/// <summary>The ways to ask for help.</summary>
internal static class Usage
{
    /// <summary><c>pgfn help [command]</c> means <c>pgfn [command] --help</c>; <c>pgfn</c> alone means <c>pgfn --help</c>.</summary>
    public static string[] Expand(string[] arguments) =>
        arguments switch
        {
            [] => ["--help"],
            ["help", .. var rest] => [.. rest, "--help"],
            _ => arguments,
        };
}
