namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>Quotes identifiers for SQL text.</summary>
internal static class SqlIdentifier
{
    /// <summary>The identifier in double quotes, with double quotes inside it doubled.</summary>
    public static string Quote(string identifier) => "\"" + identifier.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
}
