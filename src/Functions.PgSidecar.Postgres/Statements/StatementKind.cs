namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>The kind of a statement, as far as it decides which roles may run it.</summary>
public enum StatementKind
{
    /// <summary>SELECT, VALUES, TABLE, WITH ... (whatever its parts write), INSERT, UPDATE, DELETE, MERGE: for every role.</summary>
    Data,

    /// <summary>EXPLAIN of one of those: for every role.</summary>
    Explain,

    /// <summary>SELECT ... INTO: it creates a table.</summary>
    SelectInto,

    /// <summary>CREATE, ALTER, DROP, TRUNCATE, GRANT ...: for the service role.</summary>
    Definition,

    /// <summary>DO, CALL, NOTIFY, LOCK, ANALYZE ...: for the service role.</summary>
    Service,

    /// <summary>BEGIN, COMMIT, ROLLBACK, SAVEPOINT ...: for no role; the sidecar keeps the transaction.</summary>
    TransactionControl,

    /// <summary>SET, RESET, DISCARD: for no role.</summary>
    Setting,

    /// <summary>
    /// LISTEN, PREPARE, EXECUTE, DECLARE, FETCH ...: what would outlive the statement on a shared connection; for no role.
    /// </summary>
    Session,

    /// <summary>COPY: needs a protocol that functions do not speak; for no role.</summary>
    Copy,

    /// <summary>Text that does not begin like any PostgreSQL statement.</summary>
    Unknown,
}
