using System.CommandLine;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Postgres.Migrations;
using Npgsql;

namespace Functions.PgSidecar.Cli;

/// <summary>
/// <c>pgfn install</c>: creates the sidecar's login, which is not a superuser, its replication login and, with <c>--server</c>, a login
/// that only serves. Migrates the database as the sidecar's login, and prints or writes the settings to use from then on. The superuser's
/// URL is needed only for this command, and for running it again after an upgrade.
/// </summary>
internal static partial class InstallCommand
{
    private const string AdminUrl = "PGFN_ADMIN_URL";
    private const string OwnerPassword = "PGFN_OWNER_PASSWORD";
    private const string ReplicatorPassword = "PGFN_REPLICATOR_PASSWORD";
    private const string ServerPassword = "PGFN_SERVER_PASSWORD";
    private const string DefaultOwner = "pgfn";
    private const string ReplicatorSuffix = "_replicator";
    private const string ServerSuffix = "_server";

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var owner = new Option<string>("--owner") { Description = "The login to create.", DefaultValueFactory = static _ => DefaultOwner };
        owner.Validators.Add(result =>
        {
            // pgfn_ROLE are the logins of functions' roles.
            if (
                result.Tokens is [{ Value: var name }]
                && (!PlainName().IsMatch(name) || name.StartsWith("pgfn_", StringComparison.Ordinal))
            )
                result.AddError("--owner takes a plain name (lower-case letters, digits, _), which does not begin with pgfn_.");
        });
        var replicator = new Option<string?>("--replicator")
        {
            Description = "The login to create for reading the WAL. Default: the " + $"owner's name with {ReplicatorSuffix}.",
        };
        replicator.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var name }] && !PlainName().IsMatch(name))
                result.AddError("--replicator takes a plain name (lower-case letters, digits, _).");
        });
        var server = new Option<bool>("--server")
        {
            Description =
                $"Also create a login that only serves, the owner's name with {ServerSuffix}. The sidecar runs as it; each upgrade is "
                + "then preceded by 'pgfn migrate' as the owner.",
        };
        var serverLogin = new Option<string?>("--server-login") { Description = "The same, under another name." };
        serverLogin.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var name }] && !PlainName().IsMatch(name))
                result.AddError("--server-login takes a plain name (lower-case letters, digits, _).");
        });
        var restrict = new Option<bool>("--restrict-builtins")
        {
            Description =
                "In this database, also revoke advisory locks, large objects, notifications, backend signals and functions that "
                + "execute a text from PUBLIC; see docs/security.md.",
        };
        var file = new Option<FileInfo?>("--env-file")
        {
            Description =
                "Write the settings to this file, readable by its owner only, instead of printing them. With --server, the "
                + "owner's are in FILE.owner, which the sidecar does not need.",
        };
        var quiet = new Option<bool>("--no-settings")
        {
            Description =
                "Neither write nor print the settings, which contain passwords: for a "
                + "container, whose output is its log, and which was given the passwords.",
        };
        var command = new Command(
            "install",
            $"Create the sidecar's own logins, which are not superusers, and install the schemas. {AdminUrl} (or "
                + $"{AdminUrl}_FILE) is a superuser's URL of the database; "
                + $"{OwnerPassword}, {ReplicatorPassword} and {ServerPassword} (or _FILE) their passwords; without them, a new login gets a random one."
        )
        {
            owner,
            replicator,
            server,
            serverLogin,
            restrict,
            file,
            quiet,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(quiet) && result.GetValue(file) is not null)
                result.AddError("--no-settings and --env-file exclude each other.");
        });
        command.SetAction(
            (parsed, cancellationToken) =>
            {
                var name = parsed.GetRequiredValue(owner);
                return InstallAsync(
                    name,
                    parsed.GetValue(replicator) ?? name + ReplicatorSuffix,
                    parsed.GetValue(serverLogin) ?? (parsed.GetValue(server) ? name + ServerSuffix : null),
                    parsed.GetValue(restrict),
                    parsed.GetValue(quiet)
                        ? static (_, _, _) => Task.CompletedTask
                        : (lines, ofOwner, token) => WriteAsync(lines, ofOwner, parsed.GetValue(file), token),
                    cancellationToken
                );
            }
        );
        return command;
    }

    private static async Task<int> InstallAsync(
        string owner,
        string replicator,
        string? server,
        bool restrict,
        Func<List<string>, List<string>, CancellationToken, Task> write,
        CancellationToken cancellationToken
    )
    {
        if (Settings.LoadDatabase(AdminUrl, OwnerPassword, ReplicatorPassword, ServerPassword) is not var (text, connectionString, given))
            return Settings.ExitCode;
        try
        {
            // The database's owner can change its search_path and add operators of its own, so the path is fixed here.
            await using var superuser = NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(connectionString) { SearchPath = "pg_catalog" }
            );
            await using var connection = await superuser.OpenConnectionAsync(cancellationToken);
            var password = await PasswordAsync(connection, owner, given[0], cancellationToken);
            var replicatorPassword = await PasswordAsync(connection, replicator, given[1], cancellationToken);
            var serverPassword = server is null ? null : await PasswordAsync(connection, server, given[2], cancellationToken);
            var isNew = await Installer.PrepareAsync(
                connection,
                (owner, password),
                (replicator, replicatorPassword),
                server is null ? null : (server, serverPassword),
                cancellationToken
            );
            var settings = new List<string>();
            // Where the sidecar serves as another login, it does not need the owner's password.
            var ofOwner = server is null ? settings : [];
            if (password is null)
            {
                await Console.Error.WriteLineAsync(
                    $"login {owner} exists and keeps its password; its privileges were checked. Set {OwnerPassword} to change the "
                        + "password and to migrate here."
                );
            }
            else
            {
                using var logging = LoggerFactory.Create(Logging.Configure);
                await using (
                    var own = NpgsqlDataSource.Create(
                        new NpgsqlConnectionStringBuilder(connectionString) { Username = owner, Password = password }
                    )
                )
                {
                    if (await Database.MigrateAsync(own, "hold", logging.CreateLogger("install"), cancellationToken) is null)
                        return Settings.ExitCode;
                    if (server is not null)
                        await Installer.GrantServerAsync(own, server, cancellationToken);
                }
                await Installer.CompleteAsync(connection, cancellationToken);
                await Console.Error.WriteLineAsync(
                    $"login {owner} {(isNew ? "was created" : "exists")}; the schemas are installed, and it owns them"
                );
                ofOwner.Add($"DATABASE_URL={UrlOf(text, connectionString, owner, password)}");
            }
            if (server is not null)
            {
                await Console.Error.WriteLineAsync(
                    $"login {server} serves, and does not migrate{(serverPassword is null
                    ? $"; it keeps its password. Set {ServerPassword} to change it" : "")}{(password is null
                    ? $". If it is new, login {owner} has to allow it: select functions.grant_server('{server}');" : "")}"
                );
                if (serverPassword is not null)
                    settings.Add($"DATABASE_URL={UrlOf(text, connectionString, server, serverPassword)}");
            }
            await Console.Error.WriteLineAsync(
                $"login {replicator} reads the WAL{(replicatorPassword is null
                ? $" and keeps its password. Set {ReplicatorPassword} to change it" : "")}; login {owner} may not. The sidecar needs PGFN_REPLICATION_URL for it"
            );
            if (replicatorPassword is not null)
                settings.Add($"PGFN_REPLICATION_URL={UrlOf(text, connectionString, replicator, replicatorPassword)}");
            if (restrict)
            {
                foreach (var builtin in await Installer.RestrictBuiltinsAsync(connection, cancellationToken))
                    await Console.Error.WriteLineAsync($"revoked from PUBLIC: {builtin}");
            }
            if (settings.Count > 0 || ofOwner.Count > 0)
                await write(settings, server is null ? [] : ofOwner, cancellationToken);
            return 0;
        }
        catch (MigrationException e)
        {
            foreach (var problem in e.Problems)
                await Console.Error.WriteLineAsync("the database: " + problem);
        }
        catch (NpgsqlException e)
        {
            await Console.Error.WriteLineAsync($"{AdminUrl}: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"--env-file: {e.Message}");
        }
        return Settings.ExitCode;
    }

    /// <summary>The password to set: an existing login keeps its own (null), unless one is given; a new one gets a random one.</summary>
    private static async Task<string?> PasswordAsync(
        NpgsqlConnection connection,
        string role,
        string? given,
        CancellationToken cancellationToken
    )
    {
        if (given is not null)
            return given;
        await using var command = new NpgsqlCommand("select exists (select from pg_catalog.pg_roles where rolname = $1)", connection)
        {
            Parameters = { new() { Value = role } },
        };
        return await command.ExecuteScalarAsync(cancellationToken) is true ? null : RandomNumberGenerator.GetHexString(48, lowercase: true);
    }

    /// <summary>The superuser's URL in the form in which it was given, with the login instead of the superuser.</summary>
    private static string UrlOf(string text, string connectionString, string owner, string password)
    {
        if (UriUser().Match(text) is not { Success: true } uri)
            return new NpgsqlConnectionStringBuilder(connectionString) { Username = owner, Password = password }.ConnectionString;
        // A user and password among the parameters would take precedence.
        var rest = UserParameter().Replace(uri.Groups["rest"].Value, "").TrimEnd('?', '&');
        var database = new NpgsqlConnectionStringBuilder(connectionString).Database!;
        var url = $"{uri.Groups["scheme"].Value}{owner}:{Uri.EscapeDataString(password)}@{rest}";
        // Without a name, the database defaults to the user's name.
        return rest.Contains('/', StringComparison.Ordinal)
            ? url
            : url.Insert(
                url.IndexOf('?', StringComparison.Ordinal) is var at && at >= 0 ? at : url.Length,
                "/" + Uri.EscapeDataString(database)
            );
    }

    /// <summary>Prints the settings, or writes them to files.</summary>
    /// <param name="lines">The sidecar's.</param>
    /// <param name="ofOwner">The owner's, where the sidecar serves as another login.</param>
    /// <param name="file">The file; null: they are printed, the owner's as a comment.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    private static async Task WriteAsync(List<string> lines, List<string> ofOwner, FileInfo? file, CancellationToken cancellationToken)
    {
        if (file is null)
        {
            lines.ForEach(Console.WriteLine);
            if (ofOwner.Count > 0)
                Console.WriteLine("# The owner's, for 'pgfn migrate' and psql; the sidecar does not need it:");
            ofOwner.ForEach(static line => Console.WriteLine("# " + line));
            return;
        }
        if (lines.Count > 0)
            await WriteFileAsync(lines, file.FullName, cancellationToken);
        if (ofOwner.Count > 0)
            await WriteFileAsync(ofOwner, file.FullName + ".owner", cancellationToken);
    }

    private static async Task WriteFileAsync(List<string> lines, string path, CancellationToken cancellationToken)
    {
        // Written to another file and renamed, so that there is never a file that others can read, or an incomplete one.
        var draft = $"{path}.{Path.GetRandomFileName()}";
        var onlyOwner = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            onlyOwner.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        await using (var writer = new StreamWriter(draft, onlyOwner))
            await writer.WriteLineAsync(string.Join(Environment.NewLine, lines).AsMemory(), cancellationToken);
        File.Move(draft, path, overwrite: true);
    }

    [GeneratedRegex("^[a-z_][a-z0-9_]{0,62}$")]
    private static partial Regex PlainName();

    [GeneratedRegex(@"^\s*(?<scheme>postgres(ql)?://)([^/?]*@)?(?<rest>\S*)\s*$", RegexOptions.IgnoreCase)]
    private static partial Regex UriUser();

    [GeneratedRegex(@"(?<=[?&])(user|password)=[^&]*(&|$)")]
    private static partial Regex UserParameter();
}
