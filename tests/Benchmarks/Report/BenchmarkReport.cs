using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Functions.PgSidecar.Benchmarks.Report;

/// <summary>All figures of one run.</summary>
internal sealed record BenchmarkReport(Machine Machine, IReadOnlyList<Measurement> Measurements)
{
    private static readonly string[] Titles = ["measure", "ours", "peer", "ratio", "target", "met"];

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes <c>DATE.json</c> and <c>latest.md</c>.</summary>
    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        var name = Machine.Date.UtcDateTime.ToString("yyyy-MM-dd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        File.WriteAllText(Path.Combine(folder, name + ".json"), JsonSerializer.Serialize(this, Json) + "\n");
        File.WriteAllText(Path.Combine(folder, "latest.md"), ToMarkdown());
    }

    /// <summary>The table, for a terminal.</summary>
    public string ToText()
    {
        var rows = Measurements.Select(Cells).Prepend(Titles).ToList();
        var widths = Enumerable.Range(0, Titles.Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in rows)
            text.AppendJoin("  ", row.Select((cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column])))
                .Append('\n');
        return text.Append('\n').Append(MachineLine()).Append('\n').ToString();
    }

    private string ToMarkdown()
    {
        var text = new StringBuilder();
        text.Append("| ").AppendJoin(" | ", Titles).Append(" |\n|---|--:|--:|--:|--:|---|\n");
        foreach (var measurement in Measurements)
            text.Append("| ").AppendJoin(" | ", Cells(measurement)).Append(" |\n");
        return text.Append('\n').Append(MachineLine()).Append('\n').ToString();
    }

    private string MachineLine() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Machine.Date:yyyy-MM-dd}, {Machine.Processor}, {Machine.Cores} cores, {Machine.Kernel}, {Machine.DotNet}, PostgreSQL {Machine.PostgreSql}, workerd {Machine.Workerd}, Node.js {Machine.Node}, that of the peers {Machine.PeerNode}; load before the run {Machine.LoadBefore:F1}"
        );

    private static string[] Cells(Measurement measurement) =>
        [
            measurement.Name,
            $"{Number(measurement.Ours)} {measurement.Unit}",
            measurement.Peer is { } peer ? $"{peer.Name} {Number(peer.Value)} {measurement.Unit}" : "",
            measurement.Ratio is { } ratio ? ratio.ToString("F2", CultureInfo.InvariantCulture) : "",
            Target(measurement),
            measurement.IsMet switch
            {
                true => "yes",
                false => "no",
                null => "",
            },
        ];

    private static string Target(Measurement measurement) =>
        measurement.Goal switch
        {
            null => "",
            { Kind: GoalKind.ValueAtMost } goal => $"≤ {Number(goal.Limit)} {measurement.Unit}",
            { Kind: GoalKind.ValueAtLeast } goal => $"≥ {Number(goal.Limit)} {measurement.Unit}",
            { Kind: GoalKind.RatioAtMost } goal => string.Create(CultureInfo.InvariantCulture, $"ratio ≤ {goal.Limit}"),
            { } goal => string.Create(CultureInfo.InvariantCulture, $"ratio ≥ {goal.Limit}"),
        };

    private static string Number(double value) =>
        value.ToString(
            value >= 1000 ? "N0"
                : value >= 100 ? "F0"
                : value >= 10 ? "F1"
                : "F2",
            CultureInfo.InvariantCulture
        );
}
