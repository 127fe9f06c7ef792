namespace Functions.PgSidecar.Core.Secrets;

/// <summary>
/// Redacts secrets in the lines of one log, also secrets that are split across lines: a line ends within a secret, and the next one begins
/// with its continuation. Not thread-safe.
/// </summary>
/// <remarks>
/// The first part of a secret is recognized by itself from 16 characters on. A shorter part has already been written when the next line
/// reveals it; of such a secret at most 15 characters remain, and the rest is redacted.
/// </remarks>
internal sealed class LineRedactor(Redactor redactor)
{
    private const int MinimumPart = 8;

    private IReadOnlyList<SecretPiece> open = [];

    /// <summary>The next line, with secrets redacted.</summary>
    public string Redact(string line)
    {
        var begun = (Length: 0, Replacement: "");
        List<SecretPiece>? goOn = null;
        foreach (var piece in open)
        {
            var rest = piece.Form.AsSpan(piece.Seen);
            var common = rest.CommonPrefixLength(line);
            // The line is the rest of the secret, or entirely a part of it. For a few characters after a few others, a match by chance is
            // too likely.
            var goesOn = common == line.Length && common < rest.Length && (piece.Seen >= MinimumPart || common >= MinimumPart);
            if (goesOn)
                (goOn ??= []).Add(piece with { Seen = piece.Seen + common });
            if ((goesOn || common == rest.Length) && common > begun.Length)
                begun = (common, piece.Replacement);
        }
        // An empty line in between changes nothing.
        open = line.Length == 0 ? open : goOn ?? redactor.EndsWithin(line);
        return redactor.Redact(line, begun, out _);
    }
}
