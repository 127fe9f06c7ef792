using Npgsql;

namespace Functions.PgSidecar.Core.Configuration;

/// <summary>
/// The database connection: <c>DATABASE_URL</c>, a libpq URI or Npgsql's <c>Host=...;Database=...</c>, which takes precedence; otherwise
/// the libpq variables, of which at least <c>PGHOST</c> is required.
/// </summary>
internal static class DatabaseSettings
{
    private const string GssEncryption = "GSS Encryption Mode";

    /// <summary>The supported libpq variables, and the URI parameter that each corresponds to.</summary>
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

    /// <summary>An Npgsql connection string; null, with an error recorded, if there is no usable setting.</summary>
    public static string? Read(SettingReader reader)
    {
        var before = reader.Errors.Count;
        if (reader.Secret("DATABASE_URL") is { } text)
            return Parse(reader, "DATABASE_URL", text);
        if (reader.Errors.Count > before)
            return null;
        var service = reader.Text("PGSERVICE");
        var host = reader.Text("PGHOST");
        if (host is null && service is null)
        {
            reader.Fail(
                "DATABASE_URL",
                "no database is configured; set it (postgresql://user:password@host:5432/database), or PGHOST and "
                    + "the other libpq variables."
            );
            return null;
        }

        var builder = new NpgsqlConnectionStringBuilder();
        if (host is not null)
            Set(reader, "PGHOST", builder, "host", host);
        foreach (var (variable, parameter) in LibpqVariables)
        {
            if (reader.Text(variable) is { } value)
                Set(reader, variable, builder, parameter, value);
        }

        if (reader.Secret("PGPASSWORD") is { } password)
            builder.Password = password;
        // As in libpq, a service's parameters win over the variables.
        if (service is not null)
            SetService(reader, "PGSERVICE", builder, service);
        if (string.IsNullOrEmpty(builder.Host) && reader.Errors.Count == before)
            reader.Fail("PGSERVICE", $"the service '{service}' names no host, and PGHOST is not set.");
        return reader.Errors.Count > before ? null : Complete(builder);
    }

    /// <summary>
    /// <c>PGFN_REPLICATION_URL</c>, for networks where replication uses another route or login than everything else; null if it is not set.
    /// </summary>
    public static string? ReadReplication(SettingReader reader) =>
        reader.Secret("PGFN_REPLICATION_URL") is { } text ? Parse(reader, "PGFN_REPLICATION_URL", text) : null;

    /// <summary>An Npgsql connection string from a URL or from Npgsql's form; null, with an error recorded, if it is neither.</summary>
    /// <param name="reader">Records errors.</param>
    /// <param name="name">The setting that the text comes from.</param>
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
                var parameters = PostgresUri.Parse(text);
                // The URL's own parameters win over those of the service that it names.
                foreach (var (_, service) in parameters.Where(static pair => pair.Parameter == "service"))
                    SetService(reader, name, builder, service);
                foreach (var (parameter, value) in parameters.Where(static pair => pair.Parameter != "service"))
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
            reader.Fail(
                name,
                e is PostgresUriException
                    ? e.Message
                    : "is neither postgresql://user:password@host:5432/database nor " + "Host=...;Username=...;Database=..."
            );
            return null;
        }

        if (string.IsNullOrEmpty(builder.Host) || builder.Host.Contains(' ', StringComparison.Ordinal))
            reader.Fail(
                name,
                "names no host; write postgresql://user:password@host:5432/database, or Host=...;Database=... with semicolons."
            );
        return reader.Errors.Count > before ? null : Complete(builder);
    }

    /// <summary>Whether a scheme comes first; Npgsql's form has a keyword and an equals sign there.</summary>
    private static bool LooksLikeUri(string text) =>
        text.IndexOf("://", StringComparison.Ordinal) is > 0 and var scheme && !text.AsSpan(0, scheme).ContainsAny('=', ';', ' ');

    /// <summary>
    /// As in libpq, the database defaults to the user's name. The application name identifies the sidecar's sessions in pg_stat_activity.
    /// </summary>
    private static string Complete(NpgsqlConnectionStringBuilder builder)
    {
        if (string.IsNullOrEmpty(builder.Username))
            builder.Username = Environment.UserName;
        if (string.IsNullOrEmpty(builder.Database))
            builder.Database = builder.Username;
        if (string.IsNullOrEmpty(builder.ApplicationName))
            builder.ApplicationName = "pgfn";
        // Unlike libpq's default: GSS negotiation costs each connection a round trip, and logs an error if the library is missing. The URL
        // can enable it.
        if (!builder.ShouldSerialize(GssEncryption))
            builder[GssEncryption] = "disable";
        return builder.ConnectionString;
    }

    private static void SetService(SettingReader reader, string setting, NpgsqlConnectionStringBuilder builder, string service)
    {
        foreach (var (parameter, value) in ServiceFile.Read(reader, setting, service) ?? [])
            Set(reader, setting, builder, parameter, value);
    }

    private static void Set(SettingReader reader, string setting, NpgsqlConnectionStringBuilder builder, string parameter, string value)
    {
        // libpq's names, not Npgsql's: if more than the spelling differs, the values differ too.
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
