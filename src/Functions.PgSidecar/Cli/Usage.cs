namespace Functions.PgSidecar.Cli;

/// <summary>The ways to ask for help.</summary>
internal static class Usage
{
    /// <summary><c>pgfn help [command]</c> is <c>pgfn [command] --help</c>, and so is <c>pgfn</c> alone.</summary>
    public static string[] Expand(string[] arguments) => arguments switch
    {
        [] => ["--help"],
        ["help", .. var rest] => [.. rest, "--help"],
        _ => arguments,
    };
}
