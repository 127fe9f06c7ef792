using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Migrations;

/// <summary>
/// Gives the installation's owner what it needs to use the extension pgmq, where a superuser created it: to look queues up and to pass that
/// on, and the queue "default". Making queues stays the superuser's: a role that may create functions in the schema could have them run
/// by every superuser who calls a function of it.
/// </summary>
internal static class PgmqExtension
{
    /// <summary>
    /// Runs as the superuser, before the migration. Does nothing where the extension is missing, or is not a superuser's; or where another
    /// role has code in its schema, which would run as the superuser.
    /// </summary>
    public static async Task PrepareAsync(NpgsqlConnection superuser, string owner, CancellationToken cancellationToken)
    {
        if (await FindAsync(superuser, cancellationToken).ConfigureAwait(false) is not { } hasDefault)
            return;
        var role = SqlIdentifier.Quote(owner);
        await Installer
            .ExecuteAsync(
                superuser,
                $"grant usage on schema pgmq to {role} with grant option; grant select on pgmq.meta to {role} with grant option",
                cancellationToken
            )
            .ConfigureAwait(false);
        if (hasDefault)
            return;
        await Installer
            .ExecuteAsync(
                superuser,
                $"select pgmq.create('default'); alter table pgmq.q_default owner to {role}; alter table pgmq.a_default owner to {role}",
                cancellationToken
            )
            .ConfigureAwait(false);
    }

    /// <summary>Whether the extension has the queue "default"; null if there is no extension that belongs to a superuser.</summary>
    private static async Task<bool?> FindAsync(NpgsqlConnection superuser, CancellationToken cancellationToken)
    {
        await using (
            var command = new NpgsqlCommand(
                """
                select true from pg_extension e join pg_namespace n on n.oid = e.extnamespace and n.nspname = 'pgmq'
                join pg_class c on c.relnamespace = n.oid and c.relname = 'meta'
                where e.extname = 'pgmq' and (
                    select bool_and(r.rolsuper) from pg_roles r
                    where r.oid in (e.extowner, n.nspowner, c.relowner)
                       or r.oid in (select p.proowner from pg_proc p where p.pronamespace = n.oid)
                       or r.oid in (select p.proowner from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = c.oid))
                """,
                superuser
            )
        )
        {
            if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is null)
                return null;
        }
        await using var known = new NpgsqlCommand("select exists (select from pgmq.meta m where m.queue_name = 'default')", superuser);
        return (bool)(await known.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }
}
