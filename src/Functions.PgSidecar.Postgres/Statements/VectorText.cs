using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>Writes numbers that a function gave in the text form of the parameter's type.</summary>
internal static class VectorText
{
    private static readonly SearchValues<char> OfNumbers = SearchValues.Create("0123456789,.-+eE");

    /// <summary>Whether a parameter's text is an array of numbers, <c>{1,2.5,-1e-7}</c>, and so may be meant as a vector.</summary>
    public static bool IsNumbers(string? text) =>
        text is ['{', _, .., '}'] && text.AsSpan(1, text.Length - 2).IndexOfAnyExcept(OfNumbers) < 0;

    /// <summary>The text of numbers as a parameter of a type; null if they can't be one.</summary>
    /// <param name="numbers">Separated by commas.</param>
    /// <param name="type">One of <see cref="ParameterTypes"/>.</param>
    public static string? Write(string numbers, string? type) =>
        type switch
        {
            ParameterTypes.Vector or ParameterTypes.HalfVector => $"[{numbers}]",
            ParameterTypes.SparseVector => WriteSparse(numbers),
            ParameterTypes.Array => $"{{{numbers}}}",
            _ => null,
        };

    /// <summary>The numbers of a Float32Array or Float64Array, separated by commas.</summary>
    /// <param name="hex">Their bytes, little-endian, as bytea: <c>\x0000803f</c>.</param>
    /// <param name="size">The bytes of a number, 4 or 8.</param>
    public static string Numbers(string hex, int size)
    {
        var bytes = Convert.FromHexString(hex.AsSpan(2));
        var text = new StringBuilder(bytes.Length * 3);
        if (size == sizeof(float))
        {
            foreach (var number in MemoryMarshal.Cast<byte, float>(bytes))
                text.Append(CultureInfo.InvariantCulture, $"{number:R},");
        }
        else
        {
            foreach (var number in MemoryMarshal.Cast<byte, double>(bytes))
                text.Append(CultureInfo.InvariantCulture, $"{number:R},");
        }
        return text.Length == 0 ? "" : text.ToString(0, text.Length - 1);
    }

    /// <summary>Indices begin with 1; elements that are 0 are left out.</summary>
    private static string WriteSparse(string numbers)
    {
        var text = new StringBuilder("{");
        var index = 0;
        foreach (var range in numbers.AsSpan().Split(','))
        {
            index++;
            var number = numbers.AsSpan()[range];
            if (!double.TryParse(number, CultureInfo.InvariantCulture, out var value) || value == 0)
                continue;
            if (text.Length > 1)
                text.Append(',');
            text.Append(CultureInfo.InvariantCulture, $"{index}:{number}");
        }
        return text.Append(CultureInfo.InvariantCulture, $"}}/{index}").ToString();
    }
}
