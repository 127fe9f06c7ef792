using System.CommandLine;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Postgres.Migrations;
using Npgsql;

namespace Functions.PgSidecar.Cli;

/// <summary>
/// <c>pgfn install</c>: makes the login that the sidecar runs as, which is no superuser, migrates the database as that login, and prints or writes the setting
/// to use from then on. The superuser's URL is needed this once, and again after an upgrade only where the command is run again.
/// </summary>
internal static partial class InstallCommand
{
    private const string AdminUrl = "PGFN_ADMIN_URL";
    private const string OwnerPassword = "PGFN_OWNER_PASSWORD";
    private const string DefaultOwner = "pgfn";

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var owner = new Option<string>("--owner") { Description = "The login to make.", DefaultValueFactory = static _ => DefaultOwner };
        owner.Validators.Add(result =>
        {
            // pgfn_ROLE are the logins of functions' roles.
            if (result.Tokens is [{ Value: var name }] && (!PlainName().IsMatch(name) || name.StartsWith("pgfn_", StringComparison.Ordinal)))
                result.AddError("--owner takes a plain name (lower-case letters, digits, _), which does not begin with pgfn_.");
        });
        var file = new Option<FileInfo?>("--env-file") { Description = "Write DATABASE_URL to this file, for its owner's eyes only, instead of printing it." };
        var command = new Command(
            "install", $"Make the sidecar's own login, which is no superuser, and install the schemas as that login. {AdminUrl} (or {AdminUrl}_FILE) is a superuser's URL of the database; "
                + $"{OwnerPassword} (or _FILE) the password to give, otherwise a new login gets a random one.")
        { owner, file };
        command.SetAction((parsed, cancellationToken) => InstallAsync(parsed.GetRequiredValue(owner), parsed.GetValue(file), cancellationToken));
        return command;
    }

    private static async Task<int> InstallAsync(string owner, FileInfo? file, CancellationToken cancellationToken)
    {
        if (Settings.LoadDatabase(AdminUrl, OwnerPassword) is not var (text, connectionString, given))
            return Settings.ExitCode;
        // A login that is there keeps its password, unless one is given.
        var password = given;
        try
        {
            await using var superuser = NpgsqlDataSource.Create(connectionString);
            await using var connection = await superuser.OpenConnectionAsync(cancellationToken);
            if (password is null && !await ExistsAsync(connection, owner, cancellationToken))
                password = RandomNumberGenerator.GetHexString(48, lowercase: true);
            var isNew = await Installer.PrepareAsync(connection, owner, password, cancellationToken);
            if (password is null)
            {
                await Console.Error.WriteLineAsync(
                    $"login {owner} is there and keeps its password; its rights were checked. Set {OwnerPassword} to give it another one and to migrate here.");
                return 0;
            }
            using var logging = LoggerFactory.Create(Logging.Configure);
            await using (var own = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { Username = owner, Password = password }))
            {
                if (await Database.MigrateAsync(own, "hold", logging.CreateLogger("install"), cancellationToken) is null)
                    return Settings.ExitCode;
            }
            await Installer.CompleteAsync(connection, cancellationToken);
            await Console.Error.WriteLineAsync($"login {owner} {(isNew ? "was made" : "is there")}; the schemas are installed, and it owns them");
            await WriteAsync($"DATABASE_URL={UrlOf(text, connectionString, owner, password)}", file, cancellationToken);
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
            await Console.Error.WriteLineAsync($"{file}: {e.Message}");
        }
        return Settings.ExitCode;
    }

    private static async Task<bool> ExistsAsync(NpgsqlConnection connection, string role, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select exists (select from pg_catalog.pg_roles where rolname = $1)", connection) { Parameters = { new() { Value = role } } };
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>The superuser's URL in the form in which it was given, with the login in place of the superuser.</summary>
    private static string UrlOf(string text, string connectionString, string owner, string password)
    {
        if (UriUser().Match(text) is not { Success: true } uri)
            return new NpgsqlConnectionStringBuilder(connectionString) { Username = owner, Password = password }.ConnectionString;
        // A user and password in the parameters would win.
        var rest = UserParameter().Replace(uri.Groups["rest"].Value, "").TrimEnd('?', '&');
        var database = new NpgsqlConnectionStringBuilder(connectionString).Database!;
        var url = $"{uri.Groups["scheme"].Value}{owner}:{Uri.EscapeDataString(password)}@{rest}";
        // Without a name, the database is the user's.
        return rest.Contains('/', StringComparison.Ordinal) ? url : url.Insert(url.IndexOf('?', StringComparison.Ordinal) is var at && at >= 0 ? at : url.Length, "/" + Uri.EscapeDataString(database));
    }

    private static async Task WriteAsync(string line, FileInfo? file, CancellationToken cancellationToken)
    {
        if (file is null)
        {
            Console.WriteLine(line);
            return;
        }
        // Written aside and renamed: at no moment is there a file that others read, or half of one.
        var draft = $"{file.FullName}.{Path.GetRandomFileName()}";
        var onlyOwner = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            onlyOwner.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        await using (var writer = new StreamWriter(draft, onlyOwner))
            await writer.WriteLineAsync(line.AsMemory(), cancellationToken);
        File.Move(draft, file.FullName, overwrite: true);
    }

    [GeneratedRegex("^[a-z_][a-z0-9_]{0,62}$")]
    private static partial Regex PlainName();

    [GeneratedRegex(@"^\s*(?<scheme>postgres(ql)?://)([^/?]*@)?(?<rest>\S*)\s*$", RegexOptions.IgnoreCase)]
    private static partial Regex UriUser();

    [GeneratedRegex(@"(?<=[?&])(user|password)=[^&]*(&|$)")]
    private static partial Regex UserParameter();
}
