using Npgsql;

namespace Functions.PgSidecar.Core.Configuration;

/// <summary>
/// Where the database is: <c>DATABASE_URL</c>, a libpq URI or Npgsql's <c>Host=...;Database=...</c>, which wins wherever it is set;
/// else the libpq variables, of which <c>PGHOST</c> is the least.
/// </summary>
internal static class DatabaseSettings
{
    private const string GssEncryption = "GSS Encryption Mode";

    /// <summary>The libpq variables that are understood, and the parameter of a URI that each is the same as.</summary>
    private static readonly (string Variable, string Parameter)[] LibpqVariables =
    [
        ("PGPORT", "port"),
        ("PGUSER", "user"),
        ("PGDATABASE", "dbname"),
        ("PGPASSFILE", "passfile"),
        ("PGSSLMODE", "sslmode"),
        ("PGSSLROOTCERT", "sslrootcert"),
        ("PGSSLCERT", "sslcert"),
        ("PGSSLKEY", "sslkey"),
        ("PGCONNECT_TIMEOUT", "connect_timeout"),
        ("PGAPPNAME", "application_name"),
        ("PGOPTIONS", "options"),
        ("PGTARGETSESSIONATTRS", "target_session_attrs"),
        ("PGCHANNELBINDING", "channel_binding"),
        ("PGGSSENCMODE", "gssencmode"),
    ];

    /// <summary>An Npgsql connection string; null, and an error noted, when there is no usable setting.</summary>
    public static string? Read(SettingReader reader)
    {
        var before = reader.Errors.Count;
        if (reader.Secret("DATABASE_URL") is { } text)
            return Parse(reader, "DATABASE_URL", text);
        if (reader.Errors.Count > before)
            return null;
        if (reader.Text("PGHOST") is not { } host)
        {
            reader.Fail("DATABASE_URL", "no database is given; set it (postgresql://user:password@host:5432/database), or PGHOST and the other libpq variables.");
            return null;
        }

        var builder = new NpgsqlConnectionStringBuilder();
        Set(reader, "PGHOST", builder, "host", host);
        foreach (var (variable, parameter) in LibpqVariables)
        {
            if (reader.Text(variable) is { } value)
                Set(reader, variable, builder, parameter, value);
        }

        if (reader.Secret("PGPASSWORD") is { } password)
            builder.Password = password;
        return reader.Errors.Count > before ? null : Complete(builder);
    }

    /// <summary><c>PGFN_REPLICATION_URL</c>, for networks in which replication takes another way than everything else; null where it is not set.</summary>
    public static string? ReadReplication(SettingReader reader) =>
        reader.Secret("PGFN_REPLICATION_URL") is { } text ? Parse(reader, "PGFN_REPLICATION_URL", text) : null;

    /// <summary>An Npgsql connection string of a URL, or of Npgsql's form; null, and an error noted, where it is neither.</summary>
    /// <param name="reader">Where errors are noted.</param>
    /// <param name="name">The setting that the text is of.</param>
    /// <param name="text">The text.</param>
    public static string? Parse(SettingReader reader, string name, string text)
    {
        text = text.Trim();
        var before = reader.Errors.Count;
        NpgsqlConnectionStringBuilder builder;
        try
        {
            if (LooksLikeUri(text))
            {
                builder = new NpgsqlConnectionStringBuilder();
                foreach (var (parameter, value) in PostgresUri.Parse(text))
                    Set(reader, name, builder, parameter, value);
            }
            else
            {
                builder = new NpgsqlConnectionStringBuilder(text);
            }
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            // The exception's own text may quote the value, password included; a URI's error is ours and does not.
            reader.Fail(name, e is PostgresUriException ? e.Message : "is neither postgresql://user:password@host:5432/database nor Host=...;Username=...;Database=...");
            return null;
        }

        if (string.IsNullOrEmpty(builder.Host) || builder.Host.Contains(' ', StringComparison.Ordinal))
            reader.Fail(name, "names no host; write postgresql://user:password@host:5432/database, or Host=...;Database=... with semicolons.");
        return reader.Errors.Count > before ? null : Complete(builder);
    }

    /// <summary>A scheme first; Npgsql's form has a keyword and an equals sign there.</summary>
    private static bool LooksLikeUri(string text) =>
        text.IndexOf("://", StringComparison.Ordinal) is > 0 and var scheme && !text.AsSpan(0, scheme).ContainsAny('=', ';', ' ');

    /// <summary>libpq: the database is named like the user unless said otherwise. And the sidecar's sessions should be known in pg_stat_activity.</summary>
    private static string Complete(NpgsqlConnectionStringBuilder builder)
    {
        if (string.IsNullOrEmpty(builder.Username))
            builder.Username = Environment.UserName;
        if (string.IsNullOrEmpty(builder.Database))
            builder.Database = builder.Username;
        if (string.IsNullOrEmpty(builder.ApplicationName))
            builder.ApplicationName = "pgfn";
        // Unlike libpq's: an attempt costs each connection a round trip, and an error where the library is missing. Who wants it says so.
        if (!builder.ShouldSerialize(GssEncryption))
            builder[GssEncryption] = "disable";
        return builder.ConnectionString;
    }

    private static void Set(SettingReader reader, string setting, NpgsqlConnectionStringBuilder builder, string parameter, string value)
    {
        // libpq's names, not Npgsql's: where they differ in more than spelling, the values do too.
        (string Keyword, string Value)? mapped = parameter switch
        {
            "host" => ("Host", value),
            "port" => ("Port", value),
            "user" => ("Username", value),
            "password" => ("Password", value),
            "dbname" => ("Database", value),
            "passfile" => ("Passfile", value),
            "sslmode" or "ssl_mode" => ("SSL Mode", value.Replace("-", "", StringComparison.Ordinal)),
            "sslrootcert" => ("Root Certificate", value),
            "sslcert" => ("SSL Certificate", value),
            "sslkey" => ("SSL Key", value),
            "connect_timeout" => ("Timeout", value),
            "application_name" => ("Application Name", value),
            "options" => ("Options", value),
            "target_session_attrs" => ("Target Session Attributes", value),
            "channel_binding" => ("Channel Binding", value),
            "gssencmode" => (GssEncryption, value),
            _ => null,
        };
        if (mapped is not { } pair)
        {
            reader.Fail(setting, $"the parameter '{parameter}' is not supported.");
            return;
        }

        try
        {
            builder[pair.Keyword] = pair.Value;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException or InvalidCastException)
        {
            reader.Fail(setting, parameter == "password" ? "the password is not usable." : $"'{value}' is no {parameter}.");
        }
    }
}
