using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Keys;
using Functions.PgSidecar.Core.Auth.Management;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Runs;
using Microsoft.Extensions.Configuration;

namespace Functions.PgSidecar.Core.Configuration;

/// <summary>
/// All settings of the process. A setting has one name everywhere: that of the environment variable, which is also its member in
/// <c>pgfn.json</c> (<c>{"PGFN_LISTEN": "http://127.0.0.1:8787"}</c>). The environment takes precedence. Secrets can be read from a file,
/// as <c>NAME_FILE</c>.
/// </summary>
internal sealed record SidecarOptions
{
    /// <summary>The database: <c>DATABASE_URL</c>, or the libpq variables; see <see cref="DatabaseSettings"/>.</summary>
    public required string ConnectionString { get; init; }

    /// <summary>
    /// <c>PGFN_REPLICATION_URL</c>: the connection to the same database for reading the WAL. Default: <see cref="ConnectionString"/>.
    /// </summary>
    public required string ReplicationConnectionString { get; init; }

    /// <summary><c>PGFN_LISTEN</c>: the http addresses to serve, separated by semicolons. Default: <c>http://127.0.0.1:8787</c>.</summary>
    public IReadOnlyList<string> Listen { get; init; } = ["http://127.0.0.1:8787"];

    /// <summary>How callers are authenticated.</summary>
    public AuthOptions Auth { get; init; } = new();

    /// <summary>How secrets are kept.</summary>
    public SecretsOptions Secrets { get; init; } = new();

    /// <summary>Limits of outgoing requests of functions.</summary>
    public OutboundHttpOptions Http { get; init; } = new();

    /// <summary>Limits of the process.</summary>
    public LimitsOptions Limits { get; init; } = new();

    /// <summary>How events are delivered.</summary>
    public EventsOptions Events { get; init; } = new();

    /// <summary>Reads and checks every setting.</summary>
    /// <returns>The options, or null and all errors, one line each, beginning with the setting's name.</returns>
    public static SidecarOptions? TryLoad(IConfiguration configuration, out IReadOnlyList<string> errors) =>
        TryLoad(new SettingReader(configuration), out errors);

    /// <inheritdoc cref="TryLoad(IConfiguration, out IReadOnlyList{string})"/>
    internal static SidecarOptions? TryLoad(SettingReader reader, out IReadOnlyList<string> errors)
    {
        var connectionString = DatabaseSettings.Read(reader) ?? "";
        var options = new SidecarOptions
        {
            ConnectionString = connectionString,
            ReplicationConnectionString = DatabaseSettings.ReadReplication(reader) ?? connectionString,
            Listen = ReadListen(reader),
            Auth = ReadAuth(reader),
            Secrets = ReadSecrets(reader),
            Http = ReadHttp(reader),
            Limits = ReadLimits(reader),
            Events = ReadEvents(reader),
        };
        reader.FailMisspelt("PGFN_");
        errors = reader.Errors;
        return errors.Count == 0 ? options : null;
    }

    /// <summary>Reads <c>PGFN_LISTEN</c> alone, for a command that talks to a sidecar.</summary>
    internal static string[] ReadListen(SettingReader reader)
    {
        const string name = "PGFN_LISTEN";
        if (reader.Text(name) is not { } text)
            return ["http://127.0.0.1:8787"];
        var addresses = text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (var address in addresses)
        {
            // What Kestrel accepts beyond URLs: any host as + or *, and a socket's path after unix:.
            var url = address
                .Replace("://+", "://0.0.0.0", StringComparison.Ordinal)
                .Replace("://*", "://0.0.0.0", StringComparison.Ordinal);
            if (address.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
                reader.Fail(name, $"'{address}': TLS is for the proxy in front; listen on http.");
            else if (
                !address.StartsWith("http://unix:/", StringComparison.Ordinal)
                && !(
                    Uri.TryCreate(url, UriKind.Absolute, out var parsed) && parsed.Scheme == Uri.UriSchemeHttp && parsed.PathAndQuery == "/"
                )
            )
                reader.Fail(name, $"'{address}' is not an address such as http://127.0.0.1:8787.");
        }

        return addresses;
    }

    private static AuthOptions ReadAuth(SettingReader reader)
    {
        var secret = reader.Secret("PGFN_JWT_SECRET");
        if (secret is not null && JwtSecret.TryParse(secret, out var wrong) is null)
            reader.Fail("PGFN_JWT_SECRET", wrong + ".");
        var file = reader.Text("PGFN_JWKS_FILE");
        if (file is not null && !File.Exists(file))
            reader.Fail("PGFN_JWKS_FILE", $"the file '{file}' does not exist.");
        if (file is not null && reader.Text("PGFN_JWKS_URL") is not null)
            reader.Fail("PGFN_JWKS_FILE", "is set together with PGFN_JWKS_URL; keep one of them.");

        var defaults = new AuthOptions();
        return defaults with
        {
            Secret = secret,
            JwksUrl = reader.HttpUrl("PGFN_JWKS_URL"),
            JwksFile = file,
            Audience = reader.Text("PGFN_JWT_AUDIENCE"),
            Issuer = reader.Text("PGFN_JWT_ISSUER"),
            ClockSkew = reader.Duration("PGFN_JWT_CLOCK_SKEW", defaults.ClockSkew, TimeSpan.Zero, TimeSpan.FromMinutes(10)),
            RequireExpiry = reader.Flag("PGFN_JWT_REQUIRE_EXP", defaults.RequireExpiry),
            RoleClaim = ReadRoleClaim(reader) ?? defaults.RoleClaim,
            TokenRoles = ReadRoles(reader, "PGFN_JWT_ROLES"),
            DefaultRole = ReadRole(reader, "PGFN_JWT_DEFAULT_ROLE", defaults.DefaultRole),
            AnonymousRole = ReadRole(reader, "PGFN_ANON_ROLE", defaults.AnonymousRole),
            ManageClaims = ReadManageClaims(reader),
        };
    }

    private static string? ReadRoleClaim(SettingReader reader)
    {
        const string Name = "PGFN_JWT_ROLE_CLAIM";
        var claim = reader.Text(Name);
        if (claim is not null && claim.IndexOfAny(['[', ']', '$', '"']) >= 0)
            reader.Fail(
                Name,
                "is not a claim's name or a path such as app_metadata.role. For a list of roles name the list, and say in "
                    + "PGFN_JWT_ROLES which roles count."
            );
        return claim;
    }

    private static string[] ReadRoles(SettingReader reader, string name)
    {
        var roles = (reader.Text(name) ?? "").Split([',', ' '], StringSplitOptions.RemoveEmptyEntries);
        foreach (var role in roles)
        {
            if (!Core.Auth.Jwt.ClaimsReader.IsRoleName(role))
                reader.Fail(name, $"'{role}' is not a plain role name (letters, digits and underscores, at most 63).");
        }

        return roles;
    }

    private static List<ManageClaim> ReadManageClaims(SettingReader reader)
    {
        const string name = "PGFN_MANAGE_CLAIM";
        var claims = new List<ManageClaim>();
        foreach (var entry in (reader.Text(name) ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (ManageClaim.TryParse(entry) is { } claim)
                claims.Add(claim);
            else
                reader.Fail(
                    name,
                    $"'{entry}' is not of the form claim=value or claim=value scopes, such as scope=functions:deploy or "
                        + "groups=ops deploy,secrets; "
                        + $"the scopes are {string.Join(", ", ManagementScopes.Known)}."
                );
        }

        return claims;
    }

    private static string ReadRole(SettingReader reader, string name, string fallback)
    {
        var role = reader.Text(name) ?? fallback;
        if (!Core.Auth.Jwt.ClaimsReader.IsRoleName(role))
            reader.Fail(name, "is not a plain role name (letters, digits and underscores, at most 63).");
        return role;
    }

    private static SecretsOptions ReadSecrets(SettingReader reader)
    {
        var defaults = new SecretsOptions();
        var key = reader.Secret("PGFN_SECRET_KEY");
        if (key is not null && MasterKey.TryParse(key, out var wrong) is null)
            reader.Fail("PGFN_SECRET_KEY", wrong + ".");
        var previous = reader.Secret("PGFN_SECRET_KEY_PREVIOUS");
        if (previous is not null && MasterKey.TryParse(previous, out wrong) is null)
            reader.Fail("PGFN_SECRET_KEY_PREVIOUS", wrong + ".");
        return defaults with
        {
            Key = key,
            PreviousKey = previous,
            StateDirectory = reader.Text("PGFN_STATE_DIR") ?? defaults.StateDirectory,
        };
    }

    private static OutboundHttpOptions ReadHttp(SettingReader reader)
    {
        var defaults = new OutboundHttpOptions();
        return defaults with
        {
            AllowedNetworks = reader.Networks("PGFN_HTTP_ALLOW_NETWORKS"),
            MaxRequestBytes = (int)reader.Size("PGFN_HTTP_MAX_REQUEST_SIZE", defaults.MaxRequestBytes, 1024, 256 << 20),
            MaxResponseBytes = (int)reader.Size("PGFN_HTTP_MAX_RESPONSE_SIZE", defaults.MaxResponseBytes, 1024, 256 << 20),
            RequestsPerSecond = reader.Number("PGFN_HTTP_RATE_LIMIT", defaults.RequestsPerSecond, 1, 100_000),
            Timeout = reader.Duration("PGFN_HTTP_TIMEOUT", defaults.Timeout, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(300)),
        };
    }

    private static EventsOptions ReadEvents(SettingReader reader)
    {
        var defaults = new EventsOptions();
        var onRestore = reader.Text("PGFN_ON_RESTORE") ?? defaults.OnRestore;
        if (onRestore is not ("hold" or "deliver" or "discard"))
            reader.Fail("PGFN_ON_RESTORE", "is hold, deliver or discard.");
        return new EventsOptions
        {
            InboxMaxEvents = reader.Number("PGFN_INBOX_MAX_EVENTS", defaults.InboxMaxEvents, 1, int.MaxValue),
            InboxMaxBytes = reader.Size("PGFN_INBOX_MAX_SIZE", defaults.InboxMaxBytes, 1 << 20, 1L << 50),
            MaxEventBytes = (int)reader.Size("PGFN_MAX_EVENT_SIZE", defaults.MaxEventBytes, 1024, 256 << 20),
            MaxDepth = reader.Number("PGFN_MAX_TRIGGER_DEPTH", defaults.MaxDepth, 1, 1000),
            OnRestore = onRestore,
            KeepSlot = reader.Flag("PGFN_KEEP_SLOT", defaults.KeepSlot),
        };
    }

    private static LimitsOptions ReadLimits(SettingReader reader)
    {
        var defaults = new LimitsOptions();
        return new LimitsOptions
        {
            Concurrency = reader.Number("PGFN_MAX_CONCURRENCY", defaults.Concurrency, 1, 100_000),
            QueueLimit = reader.Number("PGFN_QUEUE_LIMIT", defaults.QueueLimit, 0, 1_000_000),
            MaxBodyBytes = reader.Size("PGFN_MAX_BODY_SIZE", defaults.MaxBodyBytes, 1024, 1L << 30),
            LogBytesPerInvocation = reader.Size("PGFN_LOG_INVOCATION_SIZE", defaults.LogBytesPerInvocation, 1024, 64 << 20),
            LogBytesPerMinute = reader.Size("PGFN_LOG_FUNCTION_RATE", defaults.LogBytesPerMinute, 1024, 1L << 30),
            MemoryBytes = reader.Size("PGFN_MEMORY_LIMIT", defaults.MemoryBytes, 64 << 20, 1L << 44),
            TimerResolution = reader.Duration(
                "PGFN_TIMER_RESOLUTION",
                defaults.TimerResolution,
                TimeSpan.FromMicroseconds(1),
                TimeSpan.FromMilliseconds(100)
            ),
            LogRetentionDays = reader.Number("PGFN_LOG_RETENTION_DAYS", defaults.LogRetentionDays, 1, 3650),
            SandboxThreads = reader.Number("PGFN_SANDBOX_THREADS", defaults.SandboxThreads, 1, 1024),
            ModuleThreads = reader.Number("PGFN_MODULE_THREADS", defaults.ModuleThreads, 1, 1024),
            ConnectionsPerRole = reader.Number("PGFN_DB_POOL_SIZE", defaults.ConnectionsPerRole, 1, 1000),
            ConnectionsPerFunction = reader.Number("PGFN_DB_CONNECTIONS_PER_FUNCTION", defaults.ConnectionsPerFunction, 1, 1000),
            ShutdownDelay = reader.Duration("PGFN_SHUTDOWN_DELAY", defaults.ShutdownDelay, TimeSpan.Zero, TimeSpan.FromMinutes(10)),
            ShutdownTimeout = reader.Duration("PGFN_SHUTDOWN_TIMEOUT", defaults.ShutdownTimeout, TimeSpan.Zero, TimeSpan.FromMinutes(10)),
        };
    }
}

/// <summary>Limits of one sidecar. A function's own limits are options of the function.</summary>
internal sealed record LimitsOptions
{
    /// <summary><c>PGFN_MAX_CONCURRENCY</c>: the most invocations that run at once. Default: 256.</summary>
    public int Concurrency { get; init; } = 256;

    /// <summary>
    /// <c>PGFN_QUEUE_LIMIT</c>: the most invocations that wait for admission; further ones are answered with 503. Default: 4096.
    /// </summary>
    public int QueueLimit { get; init; } = 4096;

    /// <summary><c>PGFN_MAX_BODY_SIZE</c>: the largest request body in bytes; larger ones are answered with 413. Default: 10 MB.</summary>
    public long MaxBodyBytes { get; init; } = 10 << 20;

    /// <summary>
    /// <c>PGFN_MEMORY_LIMIT</c>: the memory limit of all invocations together, in bytes: of their instances, idle ones included, and of the
    /// bodies and results that the sidecar holds for them. Default: half of what the process may use, by the machine or its cgroup.
    /// </summary>
    public long MemoryBytes { get; init; } = Math.Max(64L << 20, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2);

    /// <summary><c>PGFN_LOG_INVOCATION_SIZE</c>: the most that one invocation may log, in bytes of UTF-8. Default: 256 KB.</summary>
    public long LogBytesPerInvocation { get; init; } = 256 << 10;

    /// <summary>
    /// <c>PGFN_LOG_FUNCTION_RATE</c>: the most that one function may log per minute in this sidecar, in bytes of UTF-8; after a quiet
    /// minute, as much at once. Default: 4 MB.
    /// </summary>
    public long LogBytesPerMinute { get; init; } = 4 << 20;

    /// <summary><c>PGFN_TIMER_RESOLUTION</c>: the resolution of the clock that functions see. Default: 100 microseconds.</summary>
    public TimeSpan TimerResolution { get; init; } = GuestClock.DefaultResolution;

    /// <summary><c>PGFN_LOG_RETENTION_DAYS</c>: how long invocations and log lines are kept. Default: 7.</summary>
    public int LogRetentionDays { get; init; } = 7;

    /// <summary>
    /// <c>PGFN_SANDBOX_THREADS</c>: the most threads that run functions' code at once; it takes that many endless loops to delay other
    /// functions. Default: 64 per processor, at most 512.
    /// </summary>
    public int SandboxThreads { get; init; } = Math.Min(512, 64 * Environment.ProcessorCount);

    /// <summary>
    /// <c>PGFN_MODULE_THREADS</c>: the most threads that run WebAssembly modules, one per invocation, also while it waits for the database
    /// or a response; further invocations queue. Default: 128.
    /// </summary>
    public int ModuleThreads { get; init; } = WasmEngine.DefaultThreads;

    /// <summary><c>PGFN_DB_POOL_SIZE</c>: the most connections for each privilege level of functions. Default: 20.</summary>
    public int ConnectionsPerRole { get; init; } = 20;

    /// <summary>
    /// <c>PGFN_DB_CONNECTIONS_PER_FUNCTION</c>: the most of those that one function may hold. Default (0): half, rounded up.
    /// </summary>
    public int ConnectionsPerFunction { get; init; }

    /// <summary>
    /// <c>PGFN_SHUTDOWN_DELAY</c>: how long a stopping sidecar still accepts requests while <c>/health/ready</c> already answers 503, so
    /// that proxies can take it out first. Default: 0.
    /// </summary>
    public TimeSpan ShutdownDelay { get; init; } = TimeSpan.Zero;

    /// <summary><c>PGFN_SHUTDOWN_TIMEOUT</c>: how long a shutdown waits for running invocations. Default: 30 seconds.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
