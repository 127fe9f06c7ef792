using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// The login that serves and does nothing else. The superuser creates it; the owner gives it its rights (<c>functions.grant_server</c>),
/// after the migration that creates what the rights are about.
/// </summary>
internal static class ServerLogin
{
    /// <summary>Creates the login, or corrects it.</summary>
    /// <param name="superuser">A superuser's connection, in a transaction, with <c>search_path = pg_catalog</c>.</param>
    /// <param name="name">The login's name.</param>
    /// <param name="password">Its password; null keeps it.</param>
    /// <param name="owner">The login that owns the installation, which ends sessions of former sidecars.</param>
    /// <param name="database">The database's name.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <exception cref="MigrationException">Another role has the name; nothing was changed.</exception>
    public static async Task PrepareAsync(
        NpgsqlConnection superuser,
        string name,
        string? password,
        string owner,
        string database,
        CancellationToken cancellationToken
    )
    {
        var exists = await InspectAsync(superuser, name, cancellationToken).ConfigureAwait(false);
        var (role, caller) = (SqlIdentifier.Quote(name), SqlIdentifier.Quote(owner));
        var grant =
            superuser.PostgreSqlVersion.Major >= 16
                ? $"grant {role} to {caller} with admin false, inherit true, set false"
                : $"grant {role} to {caller}";
        await Installer
            .ExecuteAsync(
                superuser,
                $"{(exists ? "alter" : "create")} role {role} login noinherit nosuperuser nocreaterole nocreatedb noreplication nobypassrls"
                    + (password is null ? "" : $" password '{LoginPassword.Verifier(password)}'")
                    + $"; grant connect on database {SqlIdentifier.Quote(database)} to {role}; {grant}",
                cancellationToken
            )
            .ConfigureAwait(false);
    }

    /// <summary>Gives the login its rights, as the owner.</summary>
    public static Task GrantAsync(NpgsqlConnection owner, string name, CancellationToken cancellationToken) =>
        Installer.ExecuteAsync(
            owner,
            $"select functions.grant_server('{name.Replace("'", "''", StringComparison.Ordinal)}')",
            cancellationToken
        );

    /// <returns>Whether the login exists.</returns>
    private static async Task<bool> InspectAsync(NpgsqlConnection superuser, string name, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            select r.rolname is not null,
                   coalesce(r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls, false)
                   or exists (select from pg_auth_members m where m.member = r.oid)
                   or exists (select from pg_shdepend d where d.refobjid = r.oid and d.deptype = 'o')
            from (select) as one left join pg_roles r on r.rolname = $1
            """,
            superuser
        )
        {
            Parameters = { new() { Value = name } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return reader.GetBoolean(1)
            ? throw new MigrationException([
                $"Role {SqlIdentifier.Quote(name)} has other rights than to serve, or owns something: choose another name (--server-login), a new login is made for it.",
            ])
            : reader.GetBoolean(0);
    }
}
