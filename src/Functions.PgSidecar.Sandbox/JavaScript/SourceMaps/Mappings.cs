namespace Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;

/// <summary>A segment of a generated line and its place in a source. All numbers count from 0; a source of -1 means none.</summary>
internal readonly record struct Segment(int GeneratedColumn, int Source, int Line, int Column) : IComparable<Segment>
{
    public int CompareTo(Segment other) => GeneratedColumn.CompareTo(other.GeneratedColumn);
}

/// <summary>
/// Reads the member <c>mappings</c>: lines between semicolons, segments between commas, each some Base64 VLQ numbers, relative to the last.
/// </summary>
internal ref struct Mappings
{
    private const string Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    private readonly ReadOnlySpan<char> text;
    private int at;

    private Mappings(ReadOnlySpan<char> text) => this.text = text;

    /// <summary>
    /// Reads the segments of each generated line, in order. The list ends at the first unreadable segment, because an invalid map must not
    /// fail a deploy.
    /// </summary>
    public static Segment[][] Read(ReadOnlySpan<char> text) => new Mappings(text).Read();

    private Segment[][] Read()
    {
        var lines = new List<Segment[]>();
        var line = new List<Segment>();
        var (generated, source, sourceLine, sourceColumn) = (0, 0, 0, 0);
        while (at < text.Length)
        {
            var c = text[at];
            if (c == ';')
            {
                lines.Add(Sorted(line));
                line.Clear();
                generated = 0;
                at++;
            }
            else if (c == ',')
            {
                at++;
            }
            else if (!TryReadNumber(ref generated))
            {
                break;
            }
            else if (!TryReadNumber(ref source))
            {
                line.Add(new Segment(generated, -1, 0, 0));
            }
            else if (TryReadNumber(ref sourceLine) && TryReadNumber(ref sourceColumn))
            {
                line.Add(new Segment(generated, source, sourceLine, sourceColumn));
                // A fifth number is a name, which is not used.
                var name = 0;
                TryReadNumber(ref name);
            }
        }
        lines.Add(Sorted(line));
        return [.. lines];
    }

    private static Segment[] Sorted(List<Segment> line)
    {
        Segment[] segments = [.. line];
        Array.Sort(segments);
        return segments;
    }

    /// <summary>Adds the next number to a value; false if there is none.</summary>
    private bool TryReadNumber(ref int value)
    {
        var (number, shift) = (0u, 0);
        while (at < text.Length)
        {
            var digit = Digits.IndexOf(text[at], StringComparison.Ordinal);
            if (digit < 0)
                return false;
            at++;
            if (shift < 32)
                number |= (uint)(digit & 31) << shift;
            shift += 5;
            if ((digit & 32) != 0)
                continue;
            value = unchecked(value + ((number & 1) != 0 ? -(int)(number >> 1) : (int)(number >> 1)));
            return true;
        }
        return false;
    }
}
