namespace Functions.PgSidecar.Core.Bindings;

/// <summary>
/// A temporary failure outside of the function, which made one of its operations fail. Ordered: of several, the greatest is reported.
/// </summary>
internal enum OutsideTrouble
{
    /// <summary>No such failure.</summary>
    None,

    /// <summary>Another transaction conflicted with this one.</summary>
    Contention,

    /// <summary>All database connections of the caller's role were in use.</summary>
    ConnectionsInUse,

    /// <summary>The server ran out of a resource or disconnected during a statement, which may itself be the cause.</summary>
    ServerFailedStatement,

    /// <summary>The server can't be reached, or accepts no work.</summary>
    ServerAway,
}
