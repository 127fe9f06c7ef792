using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// Prepares a database as a superuser, so that the sidecar itself need not be one. Creates the login that owns the installation and the
/// login that reads the WAL, each with exactly the rights that it needs. Safe to run again. The superuser executes no function of the
/// database, whose owner could have changed it.
/// </summary>
public static class Installer
{
    /// <summary>
    /// The roles that functions run as, their logins, and the login that evaluates conditions; another database of the cluster may have
    /// created them.
    /// </summary>
    private const string FunctionRoles =
        "'anon', 'authenticated', 'service_role', 'pgfn_anon', 'pgfn_authenticated', 'pgfn_service_role', 'pgfn_conditions'";

    private const int FirstServerWithAdminOption = 160000;

    /// <summary>Creates the logins, or corrects their rights.</summary>
    /// <param name="superuser">A connection of a superuser to the database.</param>
    /// <param name="owner">The login that owns the installation: its name, and its password; null keeps the password.</param>
    /// <param name="replicator">The login that reads the WAL.</param>
    /// <param name="server">The login that only serves; null: none is made, the owner serves.</param>
    /// <param name="cancellationToken">Undoes everything.</param>
    /// <returns>Whether the owner's login is new.</returns>
    /// <exception cref="MigrationException">It is not possible; nothing was changed.</exception>
    public static async Task<bool> PrepareAsync(
        NpgsqlConnection superuser,
        (string Name, string? Password) owner,
        (string Name, string? Password) replicator,
        (string Name, string? Password)? server,
        CancellationToken cancellationToken
    )
    {
        await using var transaction = await superuser.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(superuser, "set local search_path = pg_catalog", cancellationToken).ConfigureAwait(false);
        var state = await InspectAsync(superuser, owner.Name, cancellationToken).ConfigureAwait(false);
        var role = SqlIdentifier.Quote(owner.Name);
        await ExecuteAsync(
                superuser,
                $"{(state.RoleExists ? "alter" : "create")} role {role} login nosuperuser createrole nocreatedb noreplication nobypassrls"
                    + (owner.Password is null ? "" : $" password '{LoginPassword.Verifier(owner.Password)}'"),
                cancellationToken
            )
            .ConfigureAwait(false);
        await ExecuteAsync(
                superuser,
                state.IsDatabaseOfSuperuser
                    ? $"alter database {SqlIdentifier.Quote(state.Database)} owner to {role}"
                    : $"grant create, connect on database {SqlIdentifier.Quote(state.Database)} to {role}",
                cancellationToken
            )
            .ConfigureAwait(false);
        if (state.ServerVersion >= FirstServerWithAdminOption)
            await GrantAdminOptionsAsync(superuser, owner.Name, cancellationToken).ConfigureAwait(false);
        await ReplicatorLogin
            .PrepareAsync(superuser, replicator.Name, replicator.Password, owner.Name, state.Database, cancellationToken)
            .ConfigureAwait(false);
        if (server is { } serving)
            await ServerLogin
                .PrepareAsync(superuser, serving.Name, serving.Password, owner.Name, state.Database, cancellationToken)
                .ConfigureAwait(false);
        await PgmqExtension.PrepareAsync(superuser, owner.Name, cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return !state.RoleExists;
    }

    /// <summary>Runs after the migration, as the owner: gives the login that only serves its rights.</summary>
    public static async Task GrantServerAsync(NpgsqlDataSource owner, string server, CancellationToken cancellationToken)
    {
        await using var connection = await owner.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await ServerLogin.GrantAsync(connection, server, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs after the migration, which creates the role: only a superuser can grant the rights.</summary>
    public static Task CompleteAsync(NpgsqlConnection superuser, CancellationToken cancellationToken) =>
        ExecuteAsync(superuser, "alter role service_role bypassrls", cancellationToken);

    /// <summary>
    /// Does what <c>functions.restrict_builtins</c> does, from the text that is part of this program: the database's owner owns the
    /// function of that name and could have changed it.
    /// </summary>
    /// <returns>The functions that were revoked from PUBLIC.</returns>
    public static async Task<IReadOnlyList<string>> RestrictBuiltinsAsync(NpgsqlConnection superuser, CancellationToken cancellationToken)
    {
        var text = SqlResource
            .Load("sql")
            .Single(script => script.Name == "auth/restrict_builtins.sql")
            .Text.Replace("functions.restrict_builtins()", "pg_temp.restrict_builtins()", StringComparison.Ordinal);
        await ExecuteAsync(superuser, "set search_path = pg_catalog, pg_temp", cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(superuser, text, cancellationToken).ConfigureAwait(false);
        var restricted = new List<string>();
        await using (var command = new NpgsqlCommand("select * from pg_temp.restrict_builtins()", superuser))
        {
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                restricted.Add(reader.GetString(0));
        }
        await ExecuteAsync(superuser, "drop function pg_temp.restrict_builtins()", cancellationToken).ConfigureAwait(false);
        return restricted;
    }

    private static async Task<InstallationState> InspectAsync(NpgsqlConnection superuser, string owner, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            select current_setting('server_version_num')::int, current_database()::text, current_user::text,
                   (select r.rolsuper from pg_roles r where r.rolname = current_user),
                   (select r.rolsuper from pg_roles r join pg_database d on d.datdba = r.oid where d.datname = current_database()),
                   (select r.rolsuper from pg_roles r where r.rolname = $1),
                   (select pg_get_userbyid(n.nspowner)::text from pg_namespace n where n.nspname = 'functions_private')
            """,
            superuser
        )
        {
            Parameters = { new() { Value = owner } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        bool? isOwnerSuperuser = reader.IsDBNull(5) ? null : reader.GetBoolean(5);
        var installedBy = reader.IsDBNull(6) ? null : reader.GetString(6);

        var problems = new List<string>();
        if (!reader.GetBoolean(3))
            problems.Add(
                $"Role {SqlIdentifier.Quote(reader.GetString(2))} is no superuser: only a superuser makes a login that may replicate and create roles."
            );
        if (isOwnerSuperuser == true)
            problems.Add($"Role {SqlIdentifier.Quote(owner)} is a superuser: choose another name (--owner), a new login is made for it.");
        if (installedBy is not null && installedBy != owner)
        {
            problems.Add(
                $"The database was installed by role {SqlIdentifier.Quote(installedBy)}, which owns the schemas and the tables that fire functions; this command does not "
                    + "change owners. Go on with that role, or install a new database."
            );
        }
        if (problems.Count > 0)
            throw new MigrationException(problems);
        return new InstallationState(reader.GetInt32(0), reader.GetString(1), reader.GetBoolean(4), isOwnerSuperuser is not null);
    }

    /// <summary>From PostgreSQL 16 on, a role with CREATEROLE manages only roles that it created or was granted.</summary>
    private static async Task GrantAdminOptionsAsync(NpgsqlConnection superuser, string owner, CancellationToken cancellationToken)
    {
        var roles = new List<string>();
        await using (
            var command = new NpgsqlCommand(
                $"""
                select r.rolname::text from pg_roles r where r.rolname in ({FunctionRoles}) and not exists (
                    select from pg_auth_members m where m.roleid = r.oid and m.member = $1::text::regrole and m.admin_option)
                """,
                superuser
            )
            {
                Parameters = { new() { Value = SqlIdentifier.Quote(owner) } },
            }
        )
        {
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                roles.Add(reader.GetString(0));
        }
        foreach (var role in roles)
        {
            await ExecuteAsync(
                    superuser,
                    $"grant {SqlIdentifier.Quote(role)} to {SqlIdentifier.Quote(owner)} with admin true, inherit false, set false",
                    cancellationToken
                )
                .ConfigureAwait(false);
        }
    }

    internal static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private sealed record InstallationState(int ServerVersion, string Database, bool IsDatabaseOfSuperuser, bool RoleExists);
}
