namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>Which roles may read the WAL and handle replication slots.</summary>
public static class ReplicationRight
{
    /// <summary>
    /// A condition on <c>pg_roles r</c>. Amazon RDS gives nobody the attribute REPLICATION; members of its role rds_replication may
    /// replicate.
    /// </summary>
    public const string Condition =
        "(r.rolsuper or r.rolreplication or exists (select from pg_catalog.pg_roles g "
        + "where g.rolname = 'rds_replication' and pg_catalog.pg_has_role(r.oid, g.oid, 'member')))";
}
