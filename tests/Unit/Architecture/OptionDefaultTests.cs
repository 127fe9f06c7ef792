using System.Globalization;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Core.RowChanges.Triggers;

namespace Functions.PgSidecar.Tests.Unit.Architecture;

/// <summary>Defaults of options that the SQL states are those that the sidecar uses.</summary>
public sealed class OptionDefaultTests
{
    [Fact]
    public void Deploy_states_the_defaults_of_function_options()
    {
        var text = Read("registry", "deploy.sql");
        var defaults = FunctionOptions.Parse("{}");

        Assert.Equal(defaults.Timeout.TotalMilliseconds, Number(text, @"timeout_ms 1000-300000 \((\d+)\)"));
        Assert.Equal(defaults.MemoryMb, Number(text, @"memory_mb 16-512 \((\d+)\)"));
        Assert.Equal(defaults.VerifyJwt, text.Contains("verify_jwt (true)", StringComparison.Ordinal));
    }

    [Fact]
    public void Create_trigger_stores_the_default_pauses()
    {
        var text = Read("triggers", "create_trigger.sql");

        Assert.Equal(TriggerDefinition.DefaultBackoff.TotalMilliseconds, Number(text, @"'backoff_ms'\)::integer, (\d+)\)"));
        Assert.Equal(TriggerDefinition.DefaultMaxBackoff.TotalMilliseconds, Number(text, @"'max_backoff_ms'\)::integer, (\d+)\)"));
    }

    private static double Number(string text, string pattern) =>
        double.Parse(Regex.Match(text, pattern).Groups[1].Value, CultureInfo.InvariantCulture);

    private static string Read(string folder, string file) => File.ReadAllText(Path.Combine(DocumentationTests.Root, "sql", folder, file));
}
