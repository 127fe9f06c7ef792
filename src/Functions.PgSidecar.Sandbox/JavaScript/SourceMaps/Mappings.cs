namespace Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;

/// <summary>From where in a generated line code comes from where in a source; all count from 0, a source of -1 is none.</summary>
internal readonly record struct Segment(int GeneratedColumn, int Source, int Line, int Column) : IComparable<Segment>
{
    public int CompareTo(Segment other) => GeneratedColumn.CompareTo(other.GeneratedColumn);
}

/// <summary>Reads the member <c>mappings</c>: lines between semicolons, segments between commas, each some Base64 VLQ numbers, relative to the last.</summary>
internal ref struct Mappings
{
    private const string Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    private readonly ReadOnlySpan<char> text;
    private int at;

    private Mappings(ReadOnlySpan<char> text) => this.text = text;

    /// <summary>The segments of each generated line, in order. What can't be read ends the list: a wrong map is no reason to fail.</summary>
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
                // A fifth number is a name, which is not asked for.
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

    /// <summary>Adds the next number to a value; false where there is none.</summary>
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
