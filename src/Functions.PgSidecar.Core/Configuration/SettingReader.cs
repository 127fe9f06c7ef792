using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;

namespace Functions.PgSidecar.Core.Configuration;

/// <summary>
/// Reads settings one by one and records every error, so that the operator sees all of them at once. An error is one line that begins with
/// the setting's name; it never contains the value of a secret. An empty setting counts as not set.
/// </summary>
internal sealed class SettingReader(IConfiguration configuration)
{
    /// <summary>The suffix of the variant of a setting that names a file with its value, which is how containers mount secrets.</summary>
    public const string FileSuffix = "_FILE";

    private const int MisspeltDistance = 2;

    private readonly List<string> errors = [];
    private readonly HashSet<string> known = new(StringComparer.OrdinalIgnoreCase);

    public IReadOnlyList<string> Errors => errors;

    public void Fail(string name, string what) => errors.Add($"{name}: {what}");

    /// <summary>Every name that was read.</summary>
    public IReadOnlyCollection<string> Known => known;

    /// <summary>A text; null if not set.</summary>
    public string? Text(string name)
    {
        known.Add(name);
        return configuration[name] is { } value && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;
    }

    /// <summary>A text that may instead be in the file that <c>NAME_FILE</c> names; one line break at the file's end is removed.</summary>
    public string? Secret(string name)
    {
        known.Add(name);
        var value = string.IsNullOrEmpty(configuration[name]) ? null : configuration[name];
        if (Text(name + FileSuffix) is not { } path)
            return value;
        if (value is not null)
        {
            Fail(name, $"is set together with {name}{FileSuffix}; keep one of them.");
            return null;
        }

        try
        {
            var text = File.ReadAllText(path);
            if (text.EndsWith('\n'))
                text = text[..(text.EndsWith("\r\n", StringComparison.Ordinal) ? ^2 : ^1)];
            if (text.Length > 0)
                return text;
            Fail(name + FileSuffix, $"the file '{path}' is empty.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Fail(name + FileSuffix, $"the file '{path}' can't be read: {e.Message}");
        }

        return null;
    }

    public bool Flag(string name, bool fallback)
    {
        switch (Text(name)?.ToUpperInvariant())
        {
            case null:
                return fallback;
            case "TRUE" or "1" or "ON" or "YES":
                return true;
            case "FALSE" or "0" or "OFF" or "NO":
                return false;
            default:
                Fail(name, $"'{Text(name)}' is neither true nor false.");
                return fallback;
        }
    }

    public int Number(string name, int fallback, int minimum, int maximum)
    {
        if (Text(name) is not { } text)
            return fallback;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= minimum && number <= maximum)
            return number;
        Fail(name, $"'{text}' is not a whole number from {minimum} to {maximum}.");
        return fallback;
    }

    /// <summary>A size in bytes: <c>65536</c>, <c>64KB</c>, <c>10MB</c>, <c>1GB</c> (powers of 1024).</summary>
    public long Size(string name, long fallback, long minimum, long maximum)
    {
        if (Text(name) is not { } text)
            return fallback;
        if (Scaled(text, [("KB", 1L << 10), ("MB", 1L << 20), ("GB", 1L << 30), ("", 1)]) is { } size && size >= minimum && size <= maximum)
            return (long)size;
        Fail(name, $"'{text}' is not a size from {minimum} bytes to {maximum >> 20}MB (65536, 64KB, 10MB).");
        return fallback;
    }

    /// <summary>A time: <c>100us</c>, <c>500ms</c>, <c>30s</c>, <c>5m</c>, <c>1h</c>; a bare number is seconds.</summary>
    public TimeSpan Duration(string name, TimeSpan fallback, TimeSpan minimum, TimeSpan maximum)
    {
        if (Text(name) is not { } text)
            return fallback;
        if (
            Scaled(text, [("US", 0.000_001), ("MS", 0.001), ("S", 1), ("M", 60), ("H", 3600), ("", 1)]) is { } seconds
            && seconds >= minimum.TotalSeconds
            && seconds <= maximum.TotalSeconds
        )
            return TimeSpan.FromTicks((long)Math.Round(seconds * TimeSpan.TicksPerSecond));
        Fail(
            name,
            $"'{text}' is not a time from {minimum.TotalSeconds:0.######}s to {maximum.TotalSeconds:0.######}s (100us, 500ms, 30s, "
                + "5m)."
        );
        return fallback;
    }

    /// <summary>An absolute http or https URL.</summary>
    public Uri? HttpUrl(string name)
    {
        if (Text(name) is not { } text)
            return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps))
            return url;
        Fail(name, "is not an http or https URL.");
        return null;
    }

    /// <summary>Networks in CIDR form, separated by commas or spaces.</summary>
    public IReadOnlyList<IPNetwork> Networks(string name)
    {
        var networks = new List<IPNetwork>();
        foreach (var part in (Text(name) ?? "").Split([',', ' '], StringSplitOptions.RemoveEmptyEntries))
        {
            if (IPNetwork.TryParse(part, out var network))
                networks.Add(network);
            else
                Fail(name, $"'{part}' is not a network such as 10.0.0.0/8.");
        }

        return networks;
    }

    /// <summary>
    /// Records settings whose names almost match a setting that was read: a misspelt PGFN_JWT_AUDIENCE would otherwise silently check
    /// nothing. Other names with the prefix are ignored, because container platforms add some (PGFN_PORT_8787_TCP).
    /// </summary>
    public void FailMisspelt(string prefix)
    {
        foreach (var key in configuration.GetChildren().Select(child => child.Key))
        {
            if (!key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) || known.Contains(key))
                continue;
            if (known.FirstOrDefault(name => Spelling.Distance(name, key.ToUpperInvariant()) <= MisspeltDistance) is { } meant)
                Fail(key, $"there is no such setting; did you mean {meant}?");
        }
    }

    private static double? Scaled(string text, ReadOnlySpan<(string Unit, double Factor)> units)
    {
        foreach (var (unit, factor) in units)
        {
            if (text.EndsWith(unit, StringComparison.OrdinalIgnoreCase))
                return uint.TryParse(
                    text.AsSpan(0, text.Length - unit.Length).TrimEnd(),
                    NumberStyles.None,
                    CultureInfo.InvariantCulture,
                    out var number
                )
                    ? number * factor
                    : null;
        }

        return null;
    }
}
