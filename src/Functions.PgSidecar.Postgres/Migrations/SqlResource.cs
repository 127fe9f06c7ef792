using System.Security.Cryptography;
using System.Text;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>One SQL file that is embedded in the assembly.</summary>
/// <param name="Name">Its path in the folder, as in <c>registry/deploy.sql</c>.</param>
/// <param name="Text">Its statements.</param>
internal sealed record SqlResource(string Name, string Text)
{
    /// <summary>SHA-256 of the text with LF line ends, so that a checkout's line ends do not matter.</summary>
    public string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)));

    /// <summary>The files of a folder (<c>migrations</c>, <c>sql</c> or <c>replicator</c>) and those below it, by path.</summary>
    public static IReadOnlyList<SqlResource> Load(string folder)
    {
        var assembly = typeof(SqlResource).Assembly;
        var prefix = folder + "/";
        return
        [
            .. assembly
                .GetManifestResourceNames()
                .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Select(name =>
                {
                    using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
                    return new SqlResource(name[prefix.Length..], reader.ReadToEnd().ReplaceLineEndings("\n"));
                }),
        ];
    }
}
