using System.Collections;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Primitives;

namespace Functions.PgSidecar.Tests.Unit.Configuration;

/// <summary>
/// Settings from a list, with the case-insensitive names of .NET configuration: <c>new Settings { ["PGHOST"] = "db" }</c>.
/// </summary>
internal sealed class Settings : IConfiguration, IEnumerable<KeyValuePair<string, string?>>
{
    private readonly Dictionary<string, string?> values = new(StringComparer.OrdinalIgnoreCase);

    public string? this[string key]
    {
        get => values.GetValueOrDefault(key);
        set => values[key] = value;
    }

    public IEnumerator<KeyValuePair<string, string?>> GetEnumerator() => values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public IConfigurationSection GetSection(string key) => throw new NotSupportedException("Settings are flat.");

    public IEnumerable<IConfigurationSection> GetChildren() => values.Keys.Select(key => new Child(key));

    public IChangeToken GetReloadToken() => throw new NotSupportedException("Settings don't change.");

    private sealed class Child(string key) : IConfigurationSection
    {
        public string Key => key;

        public string Path => key;

        public string? Value { get; set; }

        public string? this[string name]
        {
            get => null;
            set => throw new NotSupportedException("Settings are flat.");
        }

        public IConfigurationSection GetSection(string key) => throw new NotSupportedException("Settings are flat.");

        public IEnumerable<IConfigurationSection> GetChildren() => [];

        public IChangeToken GetReloadToken() => throw new NotSupportedException("Settings don't change.");
    }
}
