using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// Prepares a database as a superuser, so that the sidecar itself need not be one: makes the login that owns what the sidecar installs, with exactly the rights
/// that it needs. Safe to run again. The superuser executes no function of the database's: its owner could have put anything into it.
/// </summary>
public static class Installer
{
    /// <summary>What functions run as, the logins for it, and the login that evaluates conditions; another database of the cluster may have made them.</summary>
    private const string FunctionRoles = "'anon', 'authenticated', 'service_role', 'pgfn_anon', 'pgfn_authenticated', 'pgfn_service_role', 'pgfn_conditions'";

    private const int FirstServerWithAdminOption = 160000;

    /// <summary>Makes the login, or puts its rights right.</summary>
    /// <param name="superuser">A connection of a superuser to the database.</param>
    /// <param name="owner">The login's name.</param>
    /// <param name="password">Its password; null: the one that it has.</param>
    /// <param name="cancellationToken">Undoes everything.</param>
    /// <returns>Whether the login is new.</returns>
    /// <exception cref="MigrationException">It can't be done; nothing was changed.</exception>
    public static async Task<bool> PrepareAsync(NpgsqlConnection superuser, string owner, string? password, CancellationToken cancellationToken)
    {
        await using var transaction = await superuser.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(superuser, "set local search_path = pg_catalog", cancellationToken).ConfigureAwait(false);
        var state = await InspectAsync(superuser, owner, cancellationToken).ConfigureAwait(false);
        var role = Quote(owner);
        await ExecuteAsync(
            superuser,
            $"{(state.RoleExists ? "alter" : "create")} role {role} login nosuperuser createrole nocreatedb replication nobypassrls"
                + (password is null ? "" : $" password '{LoginPassword.Verifier(password)}'"),
            cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(superuser, state.IsDatabaseOfSuperuser
            ? $"alter database {Quote(state.Database)} owner to {role}"
            : $"grant create, connect on database {Quote(state.Database)} to {role}", cancellationToken).ConfigureAwait(false);
        if (state.ServerVersion >= FirstServerWithAdminOption)
            await GrantAdminOptionsAsync(superuser, owner, cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return !state.RoleExists;
    }

    /// <summary>After the migration, which makes the role: only a superuser gives it what it needs.</summary>
    public static Task CompleteAsync(NpgsqlConnection superuser, CancellationToken cancellationToken) =>
        ExecuteAsync(superuser, "alter role service_role bypassrls", cancellationToken);

    private static async Task<InstallationState> InspectAsync(NpgsqlConnection superuser, string owner, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("""
            select current_setting('server_version_num')::int, current_database()::text, current_user::text,
                   (select r.rolsuper from pg_roles r where r.rolname = current_user),
                   (select r.rolsuper from pg_roles r join pg_database d on d.datdba = r.oid where d.datname = current_database()),
                   (select r.rolsuper from pg_roles r where r.rolname = $1),
                   (select pg_get_userbyid(n.nspowner)::text from pg_namespace n where n.nspname = 'functions_private')
            """, superuser)
        { Parameters = { new() { Value = owner } } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        bool? isOwnerSuperuser = reader.IsDBNull(5) ? null : reader.GetBoolean(5);
        var installedBy = reader.IsDBNull(6) ? null : reader.GetString(6);

        var problems = new List<string>();
        if (!reader.GetBoolean(3))
            problems.Add($"Role {Quote(reader.GetString(2))} is no superuser: only a superuser makes a login that may replicate and create roles.");
        if (isOwnerSuperuser == true)
            problems.Add($"Role {Quote(owner)} is a superuser: choose another name (--owner), a new login is made for it.");
        if (installedBy is not null && installedBy != owner)
        {
            problems.Add($"The database was installed by role {Quote(installedBy)}, which owns the schemas and the tables that fire functions; this command does not "
                + "change owners. Go on with that role, or install a new database.");
        }
        if (problems.Count > 0) throw new MigrationException(problems);
        return new InstallationState(reader.GetInt32(0), reader.GetString(1), reader.GetBoolean(4), isOwnerSuperuser is not null);
    }

    /// <summary>From PostgreSQL 16 on, a role that creates roles manages those only that it made, or was given.</summary>
    private static async Task GrantAdminOptionsAsync(NpgsqlConnection superuser, string owner, CancellationToken cancellationToken)
    {
        var roles = new List<string>();
        await using (var command = new NpgsqlCommand($"""
            select r.rolname::text from pg_roles r where r.rolname in ({FunctionRoles}) and not exists (
                select from pg_auth_members m where m.roleid = r.oid and m.member = $1::text::regrole and m.admin_option)
            """, superuser)
        { Parameters = { new() { Value = Quote(owner) } } })
        {
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) roles.Add(reader.GetString(0));
        }
        foreach (var role in roles)
        {
            await ExecuteAsync(superuser, $"grant {Quote(role)} to {Quote(owner)} with admin true, inherit false, set false", cancellationToken)
                .ConfigureAwait(false);
        }
    }

    private static string Quote(string identifier) => "\"" + identifier.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private sealed record InstallationState(int ServerVersion, string Database, bool IsDatabaseOfSuperuser, bool RoleExists);
}
